"""The CPU takes over when the GPU is lost."""

import pytest

from contracts.model_card import InputSpec
from gateway.errors import DeviceLost, DeviceMemoryFull
from gateway.frame_memory import FrameMemory, HostFrameMemory
from gateway.frames.fallback_preparer import FallbackPreparer
from gateway.prepared_input import PreparedInput
from gateway.transport import Transport
from vision.letterbox import Placement

SPEC = InputSpec(width=8, height=8)
PREPARED = PreparedInput(Placement(1.0, 1.0, 0, 0, 8, 8), 0.0, 0.0, 0.0)


class FakePreparer:
    def __init__(self) -> None:
        self.trouble: Exception | None = None
        self.frames = 0

    async def prepare(
        self, frame: bytes | memoryview, spec: InputSpec, memory: FrameMemory, slot: int
    ) -> PreparedInput:
        self.frames += 1
        if self.trouble is not None:
            raise self.trouble
        return PREPARED


class MemoryOfTheGpu(HostFrameMemory):
    def __init__(self) -> None:
        super().__init__(None, 1, 64)
        self.transport = Transport.CUDA


def made() -> tuple[FakePreparer, FakePreparer, list[DeviceLost], FallbackPreparer]:
    device, host, lost = FakePreparer(), FakePreparer(), list[DeviceLost]()
    return device, host, lost, FallbackPreparer(device, host, lost.append)


async def test_the_frame_in_work_fails_and_the_cpu_prepares_the_next_ones() -> None:
    device, host, lost, preparer = made()
    memory = HostFrameMemory(None, 1, 64)
    await preparer.prepare(b"", SPEC, memory, 0)
    device.trouble = DeviceLost("Xid 79")
    with pytest.raises(DeviceLost, match="Xid 79"):
        await preparer.prepare(b"", SPEC, memory, 0)
    assert await preparer.prepare(b"", SPEC, memory, 0) is PREPARED
    assert (device.frames, host.frames, [error.reason for error in lost]) == (2, 1, ["Xid 79"])


async def test_a_slot_on_the_lost_gpu_cannot_be_written() -> None:
    device, host, lost, preparer = made()
    device.trouble = DeviceLost("Xid 79")
    for _ in range(2):
        with pytest.raises(DeviceLost, match="Xid 79"):
            await preparer.prepare(b"", SPEC, MemoryOfTheGpu(), 0)
    assert (device.frames, host.frames, len(lost)) == (1, 0, 1)


async def test_only_slots_on_the_gpu_go_there_where_the_cpu_is_quicker_for_the_others() -> None:
    device, host, lost = FakePreparer(), FakePreparer(), list[DeviceLost]()
    preparer = FallbackPreparer(device, host, lost.append, only_into_its_memory=True)
    await preparer.prepare(b"", SPEC, HostFrameMemory(None, 1, 64), 0)
    assert (device.frames, host.frames) == (0, 1)
    await preparer.prepare(b"", SPEC, MemoryOfTheGpu(), 0)
    assert (device.frames, host.frames) == (1, 1)
    device.trouble = DeviceLost("Xid 79")
    with pytest.raises(DeviceLost, match="Xid 79"):
        await preparer.prepare(b"", SPEC, MemoryOfTheGpu(), 0)
    await preparer.prepare(b"", SPEC, HostFrameMemory(None, 1, 64), 0)
    assert (device.frames, host.frames, len(lost)) == (2, 2, 1)


async def test_full_memory_is_no_lost_gpu() -> None:
    device, host, lost, preparer = made()
    device.trouble = DeviceMemoryFull(100, 50)
    for _ in range(2):
        with pytest.raises(DeviceMemoryFull):
            await preparer.prepare(b"", SPEC, HostFrameMemory(None, 1, 64), 0)
    assert (device.frames, host.frames, lost) == (2, 0, [])


async def test_the_error_is_not_kept_for_its_traceback_holds_memory() -> None:
    device, _, lost, preparer = made()
    device.trouble = DeviceLost("Xid 79")
    with pytest.raises(DeviceLost):
        await preparer.prepare(b"", SPEC, HostFrameMemory(None, 1, 64), 0)
    assert lost[0].__traceback__ is None
    assert not [kept for kept in vars(preparer).values() if isinstance(kept, BaseException)]
