"""Closed and open loop against a sender whose behaviour is known."""

import asyncio
import time

import numpy as np
import pytest

from gateway.load.arrival_schedule import arrival_offsets
from gateway.load.closed_loop import FAILURE_PAUSE_SECONDS, run_closed_loop
from gateway.load.frame_sender import OK, SendOutcome
from gateway.load.load_window import LoadWindow
from gateway.load.open_loop import run_open_loop


class FakeSender:
    """Implements ``FrameSender``: takes some time for each frame, serving only so many at once."""

    def __init__(self, seconds: float, *, at_once: int = 1000, code: str = OK) -> None:
        self._seconds = seconds
        self._places = asyncio.Semaphore(at_once)
        self._code = code
        self.frames: list[int] = []
        self.in_work = 0
        self.most_in_work = 0

    async def send(self, client: int, frame: int) -> SendOutcome:
        self.frames.append(frame)
        self.in_work += 1
        self.most_in_work = max(self.most_in_work, self.in_work)
        try:
            async with self._places:
                await asyncio.sleep(self._seconds)
        finally:
            self.in_work -= 1
        return SendOutcome(self._code, "queue=1")

    async def close(self) -> None:
        """Nothing is open."""


def window(seconds: float) -> LoadWindow:
    return LoadWindow.after(time.perf_counter(), 0.0, seconds)


async def test_closed_loop_keeps_its_clients_busy_until_the_window_ends() -> None:
    sender = FakeSender(0.01)

    records = await run_closed_loop(sender, window(0.15), clients=3)

    assert sender.most_in_work == 3
    assert sender.in_work == 0
    assert len(records) == len(sender.frames) >= 9
    assert sorted(sender.frames) == list(range(len(sender.frames)))
    assert all(record.latency_seconds >= 0.01 and record.stages == "queue=1" for record in records)


async def test_closed_loop_ends_after_the_requests_asked_for() -> None:
    sender = FakeSender(0.0)

    records = await run_closed_loop(sender, window(60.0), clients=4, max_requests=50)

    assert len(records) == 50
    assert sorted(sender.frames) == list(range(50))


async def test_a_failing_server_is_not_asked_as_fast_as_possible() -> None:
    sender = FakeSender(0.0, code="UNAVAILABLE")

    records = await run_closed_loop(sender, window(5 * FAILURE_PAUSE_SECONDS), clients=1)

    assert 1 <= len(records) <= 6
    assert {record.code for record in records} == {"UNAVAILABLE"}


async def test_open_loop_shows_the_wait_that_a_slow_server_causes() -> None:
    sender = FakeSender(0.02, at_once=1)
    offsets = arrival_offsets(200, 0.05, "fixed", np.random.default_rng(0))

    records = await run_open_loop(sender, window(0.05), offsets)

    # ten requests are due within 45 ms, their service takes 200 ms
    assert len(records) == 10
    assert max(record.latency_seconds for record in records) >= 0.15
    assert sender.most_in_work > 5


async def test_open_loop_counts_its_own_lateness_as_latency() -> None:
    started_at = time.perf_counter() - 1.0

    records = await run_open_loop(FakeSender(0.0), LoadWindow(started_at, started_at, started_at + 1), [0.0, 0.5])

    assert [record.intended_at - started_at for record in records] == [0.0, 0.5]
    assert records[0].latency_seconds >= 1.0
    assert records[1].sent_at - records[1].intended_at >= 0.5


def test_fixed_arrivals_have_equal_gaps() -> None:
    offsets = arrival_offsets(4, 1.0, "fixed", np.random.default_rng(0))

    assert offsets.tolist() == [0.0, 0.25, 0.5, 0.75]


def test_poisson_arrivals_have_the_rate_and_varied_gaps() -> None:
    offsets = arrival_offsets(100, 50.0, "poisson", np.random.default_rng(7))

    gaps = np.diff(offsets)
    assert np.all(gaps >= 0)
    assert 0.0 <= offsets[0] < offsets[-1] < 50.0
    assert len(offsets) == pytest.approx(5000, rel=0.06)
    # the gaps of a Poisson process vary as much as they are long
    assert gaps.std() == pytest.approx(gaps.mean(), rel=0.06)
    assert np.array_equal(offsets, arrival_offsets(100, 50.0, "poisson", np.random.default_rng(7)))


@pytest.mark.parametrize("rate", [0.0, -1.0])
def test_a_rate_must_be_positive(rate: float) -> None:
    with pytest.raises(ValueError, match="rate must be greater than 0"):
        arrival_offsets(rate, 1.0, "fixed", np.random.default_rng(0))
