"""How quickly a preparer prepares frames."""

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext

import pytest

from contracts.model_card import InputSpec
from gateway.cuda.device_frame_memory import DeviceFrameMemory
from gateway.errors import DeviceLost, DeviceRefused
from gateway.frame_memory import FrameMemory
from gateway.frames.preparer import HostPreparer
from gateway.frames.preparer_speed import memory_of_the_machine, seconds_per_frame
from gateway.prepared_input import PreparedInput
from gateway.transport import Transport
from tests.fakes.fake_sharing_device import FakeOutputReader, FakeSharingDevice
from vision.letterbox import Placement

SPEC = InputSpec(width=16, height=16)
FRAME_WH = (64, 48)


class Played:
    """Takes what the clock is told to say for a frame."""

    def __init__(self, *, hangs: bool = False, trouble: Exception | None = None) -> None:
        self.seconds = 0.0
        self.rounds: list[set[int]] = []
        self.memories: list[FrameMemory] = []
        self.hangs, self.trouble = hangs, trouble

    def clock(self) -> float:
        self.rounds.append(set())
        return self.seconds

    async def prepare(
        self, frame: bytes | memoryview, spec: InputSpec, memory: FrameMemory, slot: int
    ) -> PreparedInput:
        self.memories.append(memory)
        if self.trouble is not None:
            raise self.trouble
        if self.hangs:
            await asyncio.to_thread(threading.Event().wait, 5)
        self.rounds[-1].add(slot)
        self.seconds += 1.0 if len(self.rounds) == 1 else 0.01  # the first round warms up
        return PreparedInput(Placement(1.0, 1.0, 0, 0, 1, 1), 0.0, 0.0, 0.0)


def test_it_is_the_quickest_round_of_frames_that_come_at_one_time() -> None:
    played = Played()
    found = seconds_per_frame(played, memory_of_the_machine, frame_wh=FRAME_WH, spec=SPEC, clock=played.clock)
    assert found == pytest.approx(0.01)
    assert [slots for slots in played.rounds if slots] == [set(range(16))] * 4


def test_the_cpus_path_can_be_measured_beside_a_loop_that_runs() -> None:
    async def beside() -> float:
        with ThreadPoolExecutor(2) as executor:
            preparer = HostPreparer(executor, max_pixels=10_000)
            return seconds_per_frame(preparer, memory_of_the_machine, frame_wh=FRAME_WH, spec=SPEC)

    assert 0 < asyncio.run(beside()) < 10


def test_a_path_that_hangs_or_fails_is_an_error() -> None:
    hangs, fails = Played(hangs=True), Played(trouble=DeviceLost("Xid 79"))
    with pytest.raises(TimeoutError, match=r"it took longer than 0\.2 s"):
        seconds_per_frame(hangs, memory_of_the_machine, frame_wh=FRAME_WH, spec=SPEC, most_seconds=0.2)
    with pytest.raises(DeviceLost, match="Xid 79"):
        seconds_per_frame(fails, memory_of_the_machine, frame_wh=FRAME_WH, spec=SPEC)


@pytest.mark.parametrize("trouble", [None, DeviceLost("Xid 79")])
def test_memory_on_a_gpu_is_measured_as_it_will_be_used_and_given_back(trouble: Exception | None) -> None:
    gpu, played = FakeSharingDevice(), Played(trouble=trouble)

    def make_memory(slots: int, slot_bytes: int) -> FrameMemory:
        return DeviceFrameMemory(gpu, FakeOutputReader(), "", slots, slot_bytes)

    with nullcontext() if trouble is None else pytest.raises(DeviceLost):
        seconds_per_frame(played, make_memory, frame_wh=FRAME_WH, spec=SPEC, clock=played.clock)
    assert {memory.transport for memory in played.memories} == {Transport.CUDA}
    assert gpu.events == ["allocated", "freed"]


def test_memory_that_cannot_be_had_is_an_error() -> None:
    def refuse(slots: int, slot_bytes: int) -> FrameMemory:
        raise DeviceRefused("share memory with Triton", "CUDA_ERROR_NOT_SUPPORTED")

    with pytest.raises(DeviceRefused, match="NOT_SUPPORTED"):
        seconds_per_frame(Played(), refuse, frame_wh=FRAME_WH, spec=SPEC)
