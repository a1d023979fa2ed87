"""How quickly a preparer prepares frames."""

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from contracts.model_card import InputSpec
from gateway.errors import DeviceLost
from gateway.frame_memory import FrameMemory
from gateway.frames.preparer import HostPreparer
from gateway.frames.preparer_speed import seconds_per_frame
from gateway.prepared_input import PreparedInput
from vision.letterbox import Placement

SPEC = InputSpec(width=16, height=16)
FRAME_WH = (64, 48)


class Played:
    """Takes what the clock is told to say for a frame."""

    def __init__(self, *, hangs: bool = False, trouble: Exception | None = None) -> None:
        self.seconds = 0.0
        self.rounds: list[set[int]] = []
        self.hangs, self.trouble = hangs, trouble

    def clock(self) -> float:
        self.rounds.append(set())
        return self.seconds

    async def prepare(
        self, frame: bytes | memoryview, spec: InputSpec, memory: FrameMemory, slot: int
    ) -> PreparedInput:
        if self.trouble is not None:
            raise self.trouble
        if self.hangs:
            await asyncio.to_thread(threading.Event().wait, 5)
        self.rounds[-1].add(slot)
        self.seconds += 1.0 if len(self.rounds) == 1 else 0.01  # the first round warms up
        return PreparedInput(Placement(1.0, 1.0, 0, 0, 1, 1), 0.0, 0.0, 0.0)


def test_it_is_the_quickest_round_of_frames_that_come_at_one_time() -> None:
    played = Played()
    found = seconds_per_frame(played, frame_wh=FRAME_WH, spec=SPEC, clock=played.clock)
    assert found == pytest.approx(0.01)
    assert [slots for slots in played.rounds if slots] == [set(range(16))] * 4


def test_the_cpus_path_can_be_measured_beside_a_loop_that_runs() -> None:
    async def beside() -> float:
        with ThreadPoolExecutor(2) as executor:
            return seconds_per_frame(HostPreparer(executor, max_pixels=10_000), frame_wh=FRAME_WH, spec=SPEC)

    assert 0 < asyncio.run(beside()) < 10


def test_a_path_that_hangs_or_fails_is_an_error() -> None:
    with pytest.raises(TimeoutError, match=r"it took longer than 0\.2 s"):
        seconds_per_frame(Played(hangs=True), frame_wh=FRAME_WH, spec=SPEC, most_seconds=0.2, clock=Played().clock)
    with pytest.raises(DeviceLost, match="Xid 79"):
        seconds_per_frame(Played(trouble=DeviceLost("Xid 79")), frame_wh=FRAME_WH, spec=SPEC)
