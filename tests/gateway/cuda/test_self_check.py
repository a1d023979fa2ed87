"""A GPU that does not do what the CPU does is not used."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from gateway.cuda.batch_lane import BatchLane
from gateway.cuda.device import CudaDevice
from gateway.cuda.frame_reader import FrameReader
from gateway.cuda.self_check import check_against_cpu
from gateway.cuda.staging_memory import Block, StagingMemory
from gateway.cuda.waiting_frame import PlacedFrame, WaitingFrame
from gateway.errors import DeviceLost, DeviceRefused
from gateway.frame_memory import HostFrameMemory
from tests.fakes.fake_jpeg_decoder import FakeJpegDecoder

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


class SwappingDecoder(FakeJpegDecoder):
    """Takes blue for red."""

    def decode(self, jpegs: Sequence[bytes], stream: Any) -> list[NDArray[np.uint8] | None]:
        pictures = super().decode(jpegs, stream)
        return [None if each is None else np.ascontiguousarray(each[:, :, ::-1]) for each in pictures]


def reader(*, device_decodes: bool = False) -> FrameReader:
    def pin(size_bytes: int) -> Block:
        return np.empty(size_bytes, np.uint8)

    return FrameReader(StagingMemory(pin), device_decodes=device_decodes, max_pixels=10_000)


def test_tensors_that_are_alike_pass() -> None:
    check_against_cpu([LANE], reader())


@pytest.mark.parametrize(("datatype", "change"), [("UINT8", 3), ("FP32", 0.1), ("FP32", np.nan)])
def test_a_single_value_that_differs_is_said(datatype: str, change: float) -> None:
    with pytest.raises(DeviceRefused, match="its tensors differ from the CPU's by"):
        check_against_cpu([WrongLane(datatype, change)], reader())


@pytest.mark.parametrize(
    ("error", "known"),
    [(ImportError("libnvvm.so is missing"), DeviceRefused), (DeviceLost("Xid 79"), DeviceLost)],
)
def test_a_compiler_that_does_not_work_is_a_gpu_that_cannot_be_used(error: Exception, known: type[Exception]) -> None:
    with pytest.raises(known, match=str(error).split(";")[0]):
        check_against_cpu([BrokenLane(error)], reader())


def test_each_lanes_decoder_gets_a_jpeg() -> None:
    decoders = [FakeJpegDecoder(), FakeJpegDecoder()]
    lanes = [BatchLane(CudaDevice(0), decoder, 1, 2**20) for decoder in decoders]
    check_against_cpu(lanes, reader(device_decodes=True))
    assert [decoder.batches for decoder in decoders] == [[1], [1]]


def test_a_decoder_with_other_colours_is_found_in_whichever_lane_it_is() -> None:
    lanes = [BatchLane(CudaDevice(0), decoder, 1, 2**20) for decoder in (FakeJpegDecoder(), SwappingDecoder())]
    with pytest.raises(DeviceRefused, match=r"decode JPEGs: its pixels differ .* by [0-9.]+ grey levels on average"):
        check_against_cpu(lanes, reader(device_decodes=True))
