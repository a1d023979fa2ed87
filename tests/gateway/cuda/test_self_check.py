"""A GPU that does not do what the CPU does is not used."""

from collections.abc import Sequence

import numpy as np
import pytest

from gateway.cuda.batch_lane import BatchLane
from gateway.cuda.device import CudaDevice
from gateway.cuda.frame_reader import FrameReader
from gateway.cuda.self_check import check_against_cpu
from gateway.cuda.staging_memory import Block, StagingMemory
from gateway.cuda.waiting_frame import PlacedFrame, WaitingFrame
from gateway.errors import DeviceLost, DeviceRefused
from gateway.frame_memory import HostFrameMemory

LANE = BatchLane(CudaDevice(0), None, 1, 2**20)


class BrokenLane:
    def __init__(self, error: Exception) -> None:
        self.error = error

    def place(self, batch: Sequence[WaitingFrame]) -> list[PlacedFrame | None]:
        raise self.error


class WrongLane:
    """Places frames well, and then changes one value."""

    def __init__(self, datatype: str, change: float) -> None:
        self.datatype, self.change = datatype, change

    def place(self, batch: Sequence[WaitingFrame]) -> list[PlacedFrame | None]:
        placed, (frame,) = LANE.place(batch), batch
        assert isinstance(frame.memory, HostFrameMemory)
        if frame.spec.datatype == self.datatype:
            kind = np.uint8 if self.datatype == "UINT8" else np.float32
            tensor = frame.memory.array(frame.slot, frame.spec.shape, kind)
            tensor[0, 2, 3, 1] += kind(self.change)
        return placed


def reader() -> FrameReader:
    def pin(size_bytes: int) -> Block:
        return np.empty(size_bytes, np.uint8)

    return FrameReader(StagingMemory(pin), device_decodes=False, max_pixels=10_000)


def test_tensors_that_are_alike_pass() -> None:
    check_against_cpu(LANE, reader())


@pytest.mark.parametrize(("datatype", "change"), [("UINT8", 3), ("FP32", 0.1), ("FP32", np.nan)])
def test_a_single_value_that_differs_is_said(datatype: str, change: float) -> None:
    with pytest.raises(DeviceRefused, match="its tensors differ from the CPU's by"):
        check_against_cpu(WrongLane(datatype, change), reader())


@pytest.mark.parametrize(
    ("error", "known"),
    [(ImportError("libnvvm.so is missing"), DeviceRefused), (DeviceLost("Xid 79"), DeviceLost)],
)
def test_a_compiler_that_does_not_work_is_a_gpu_that_cannot_be_used(error: Exception, known: type[Exception]) -> None:
    with pytest.raises(known, match=str(error).split(";")[0]):
        check_against_cpu(BrokenLane(error), reader())
