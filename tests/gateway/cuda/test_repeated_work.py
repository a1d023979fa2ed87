"""Work beside the frames: when it is asked for, and again."""

import threading

import pytest

from gateway.cuda.repeated_work import RepeatedWork


class Counted:
    """Does nothing, until it may end."""

    def __init__(self) -> None:
        self.begun = threading.Semaphore(0)
        self.may_end = threading.Event()
        self.may_end.set()
        self.threads = set[threading.Thread]()

    def __call__(self) -> None:
        self.threads.add(threading.current_thread())
        self.begun.release()
        self.may_end.wait(20)

    def begins(self) -> bool:
        return self.begun.acquire(timeout=20)


@pytest.fixture
def work() -> Counted:
    return Counted()


def test_it_is_done_when_it_is_asked_for_and_not_before(work: Counted) -> None:
    repeated = RepeatedWork(work, again_seconds=3600.0)
    repeated.close()
    assert not work.threads
    repeated = RepeatedWork(work, again_seconds=3600.0)
    for _ in range(2):
        repeated.ask()
        assert work.begins()
    repeated.close()
    (thread,) = work.threads
    assert thread is not threading.current_thread()
    assert not thread.is_alive()


def test_it_is_done_again_after_a_while(work: Counted) -> None:
    repeated = RepeatedWork(work, again_seconds=0.01)
    repeated.ask()
    assert all(work.begins() for _ in range(4))
    repeated.close()


def test_who_asks_while_it_is_done_does_not_wait_and_gets_it_once_more(work: Counted) -> None:
    work.may_end.clear()
    repeated = RepeatedWork(work, again_seconds=3600.0)
    repeated.ask()
    assert work.begins()
    for _ in range(3):
        repeated.ask()
    work.may_end.set()
    assert work.begins()
    repeated.close()
    assert not work.begun.acquire(blocking=False)
