"""A preparer in the simulator (or on a GPU), and what both paths make of a frame."""

import asyncio
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from contracts.model_card import InputSpec
from gateway.cuda.batch_lane import BatchLane, DeviceDecoder, LaneDevice
from gateway.cuda.device import CudaDevice
from gateway.cuda.device_frame_memory import DeviceFrameMemory
from gateway.cuda.device_preparer import BATCH_BYTES, DevicePreparer, Lane
from gateway.cuda.frame_reader import FrameReader
from gateway.cuda.profiler_ranges import ProfilerRange, unseen_range
from gateway.cuda.staging_memory import StagingMemory
from gateway.cuda.waiting_frame import PlacedFrame, WaitingFrame
from gateway.frame_memory import FrameMemory, HostFrameMemory
from gateway.frames.preparation import prepare_input
from tests.fakes.fake_sharing_device import FakeOutputReader

Tensor = NDArray[np.uint8 | np.float32]
MAX_PIXELS = 10_000


def dtype_of(spec: InputSpec) -> type[np.uint8 | np.float32]:
    return np.uint8 if spec.datatype == "UINT8" else np.float32


class SharingDevice:
    """A GPU of which memory can be shared: the simulator's cannot."""

    ordinal = 0

    def __init__(self, device: CudaDevice) -> None:
        self.allocate = device.allocate
        self.freeing = device.freeing

    def ipc_handle(self, values: Any) -> bytes:
        return bytes(64)


def device_memory(device: CudaDevice, slots: int = 4, slot_bytes: int = 6000) -> DeviceFrameMemory:
    return DeviceFrameMemory(SharingDevice(device), FakeOutputReader(), "region", slots, slot_bytes)


class GatedLane:
    """Waits in its thread until it is opened; knows what it was given."""

    def __init__(self, lane: Lane) -> None:
        self._lane = lane
        self.open = threading.Event()
        self.entered = threading.Semaphore(0)
        self.batches: list[list[int]] = []

    def place(self, batch: Sequence[WaitingFrame]) -> list[PlacedFrame | None]:
        self.batches.append([frame.slot for frame in batch])
        self.entered.release()
        assert self.open.wait(30)
        return self._lane.place(batch)


class TroubledDevice:
    """Implements ``LaneDevice``: a device that has the trouble that it is told.

    Args:
        device: Does what is asked where there is no trouble.

    Attributes:
        trouble: Raised where memory is asked for, and at the end of a batch.
        allocated: Bytes on the GPU, each time that they were asked for.
        pinned: Bytes of the machine, each time that they were asked for.
        freed: How often memory was given back.
        streams: All of them.
    """

    def __init__(self, device: CudaDevice) -> None:
        self._device = device
        self.trouble: Exception | None = None
        self.allocated: list[int] = []
        self.pinned: list[int] = []
        self.freed = 0
        self.streams: list[CountingStream] = []

    @contextmanager
    def freeing(self) -> Iterator[None]:
        with self._device.freeing():
            yield
        self.freed += 1

    @contextmanager
    def in_use(self, doing: str, needed_bytes: int = 0) -> Iterator[None]:
        with self._device.in_use(doing, needed_bytes):
            yield
        if self.trouble is not None:
            raise self.trouble

    def allocate(self, size_bytes: int) -> Any:
        if self.trouble is not None:
            raise self.trouble
        self.allocated.append(size_bytes)
        return self._device.allocate(size_bytes)

    def allocate_pinned(self, size_bytes: int) -> NDArray[np.uint8]:
        self.pinned.append(size_bytes)
        return self._device.allocate_pinned(size_bytes)

    def create_stream(self) -> Any:
        self.streams.append(CountingStream(self._device.create_stream()))
        return self.streams[-1]


class CountingStream:
    """A stream that knows how often it was waited for; only the simulator takes it for one."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream
        self.waits = 0

    def synchronize(self) -> None:
        self.waits += 1
        self._stream.synchronize()


@contextmanager
def preparer_on(
    device: LaneDevice,
    pin: Any,
    *,
    streams: int = 1,
    batch: int = 4,
    decoder: DeviceDecoder | None = None,
    prepared: list[bool] | None = None,
    keep_bytes: int = BATCH_BYTES,
    batch_seconds: float = 30.0,
    named: ProfilerRange = unseen_range,
    wrap: Callable[[Lane], Lane] = lambda lane: lane,
) -> Iterator[DevicePreparer]:
    lanes = [wrap(BatchLane(device, decoder, batch, keep_bytes, named=named)) for _ in range(streams)]
    reader = FrameReader(StagingMemory(pin), device_decodes=decoder is not None, max_pixels=MAX_PIXELS)
    told = [] if prepared is None else prepared
    with ThreadPoolExecutor(2) as executor:
        preparer = DevicePreparer(
            lanes, reader, executor, batch=batch, batch_seconds=batch_seconds, on_prepared=told.append
        )
        yield preparer
        preparer.close()


async def until(condition: Callable[[], bool]) -> None:
    """Wait for what a thread does."""
    async with asyncio.timeout(30):
        while not condition():  # noqa: ASYNC110 - threads tell by what they leave
            await asyncio.sleep(0.005)


def content(memory: FrameMemory, slot: int, spec: InputSpec) -> Tensor:
    """The tensor in a slot."""
    if isinstance(memory, HostFrameMemory):
        return memory.array(slot, spec.shape, dtype_of(spec)).copy()
    assert isinstance(memory, DeviceFrameMemory)
    begin = memory.offset(slot)
    values: NDArray[np.uint8] = memory.values[begin : begin + spec.size_bytes].copy_to_host()
    return cast("Tensor", values.view(dtype_of(spec)).reshape(spec.shape))


def on_the_cpu(frame: bytes, spec: InputSpec) -> tuple[Tensor, Any]:
    out: Tensor = np.zeros(spec.shape, dtype_of(spec))
    return out, prepare_input(frame, spec, out, MAX_PIXELS).placement


def assert_alike(found: Tensor, expected: Tensor, spec: InputSpec) -> None:
    """At most one grey level apart, on average at most 0.01."""
    level = 1.0 if spec.datatype == "UINT8" else spec.scale / min(spec.std)
    difference = np.abs(found.astype(np.float64) - expected)
    assert difference.max() <= level * 1.001
    assert difference.mean() <= level * 0.01
    assert expected.std() > 0


def specs(*changes: dict[str, object]) -> Sequence[InputSpec]:
    base = {"width": 24, "height": 18}
    return [InputSpec.model_validate(base | each) for each in changes]
