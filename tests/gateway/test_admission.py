import asyncio

import pytest

from gateway.errors import DeadlineExceeded, QueueFull
from gateway.frames.admission import Admission


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


async def settle() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def hold(admission: Admission, release: asyncio.Event, order: list[int], name: int) -> None:
    async with admission.slot(None):
        order.append(name)
        await release.wait()


async def test_a_place_is_free_again_after_the_block() -> None:
    admission = Admission(1, 0)
    for _ in range(3):
        async with admission.slot(None):
            assert admission.in_flight == 1
    assert admission.in_flight == 0


async def test_those_who_wait_are_served_in_order() -> None:
    admission, release, order = Admission(1, 10), asyncio.Event(), list[int]()
    tasks = [asyncio.create_task(hold(admission, release, order, name)) for name in range(4)]
    await settle()
    assert (admission.in_flight, admission.waiting, order) == (1, 3, [0])
    release.set()
    await asyncio.gather(*tasks)
    assert order == [0, 1, 2, 3]
    assert (admission.in_flight, admission.waiting) == (0, 0)


async def test_a_full_queue_refuses_at_once() -> None:
    admission, release = Admission(1, 1), asyncio.Event()
    tasks = [asyncio.create_task(hold(admission, release, [], name)) for name in range(2)]
    await settle()
    with pytest.raises(QueueFull, match="1 frames wait, the limit is 1"):
        async with admission.slot(None):
            pass
    release.set()
    await asyncio.gather(*tasks)


async def test_a_passed_deadline_is_refused_before_anything_else() -> None:
    clock = Clock()
    admission = Admission(1, 1, clock)
    with pytest.raises(DeadlineExceeded):
        async with admission.slot(99.9):
            pass
    assert admission.in_flight == 0


async def test_waiting_ends_at_the_deadline_and_leaves_no_trace() -> None:
    admission, release = Admission(1, 5), asyncio.Event()
    holder = asyncio.create_task(hold(admission, release, [], 0))
    await settle()
    with pytest.raises(DeadlineExceeded):
        async with admission.slot(asyncio.get_running_loop().time() + 0.02):
            pass
    assert admission.waiting == 0
    release.set()
    await holder
    assert admission.in_flight == 0


async def test_a_cancelled_caller_frees_his_place_and_his_turn() -> None:
    admission, release = Admission(1, 5), asyncio.Event()
    holder = asyncio.create_task(hold(admission, release, [], 0))
    waiter = asyncio.create_task(hold(admission, release, [], 1))
    await settle()
    waiter.cancel()
    await settle()
    assert admission.waiting == 0
    holder.cancel()
    await settle()
    assert admission.in_flight == 0


async def test_a_place_that_comes_together_with_the_cancellation_is_handed_on() -> None:
    admission, release, order = Admission(1, 5), asyncio.Event(), list[int]()
    first = asyncio.Event()
    holder = asyncio.create_task(hold(admission, first, order, 0))
    waiter = asyncio.create_task(hold(admission, release, order, 1))
    last = asyncio.create_task(hold(admission, release, order, 2))
    await settle()
    first.set()
    await asyncio.sleep(0)  # the holder leaves and gives its place to the waiter ...
    waiter.cancel()  # ... who is gone before he can take it
    release.set()
    await asyncio.gather(holder, last)
    await settle()
    assert 2 in order
    assert (admission.in_flight, admission.waiting) == (0, 0)


async def test_a_request_of_several_frames_is_refused_as_a_whole() -> None:
    admission = Admission(2, 3)
    admission.require_room(5)
    with pytest.raises(QueueFull):
        admission.require_room(6)
