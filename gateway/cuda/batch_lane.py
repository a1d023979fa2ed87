"""One stream of a GPU: a batch of frames becomes tensors in their slots, with one launch."""

import logging
import time
import traceback
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from contracts.model_card import InputSpec
from gateway.cuda.device_frame_memory import DeviceFrameMemory
from gateway.cuda.launch_lock import LAUNCHING
from gateway.cuda.profiler_ranges import ProfilerRange, unseen_range
from gateway.cuda.waiting_frame import PlacedFrame, WaitingFrame
from gateway.errors import BackendError, DeviceRefused
from gateway.frame_memory import FrameMemory, HostFrameMemory
from gateway.pixel_normalisation import factor_and_shift
from vision.cuda.frame_plan import (
    COLUMNS,
    IDENTITY,
    FramePlan,
    InputLayout,
    Normalisation,
    SourceFrame,
    normalisation_table,
    plan_frame,
    plan_table,
)
from vision.cuda.letterbox import place_frames
from vision.letterbox import Placement

_LOG = logging.getLogger(__name__)
_SMALLEST_BYTES = 2**20


class LaneDevice(Protocol):
    """The GPU."""

    def in_use(self, doing: str, needed_bytes: int = 0) -> AbstractContextManager[None]:
        """Makes it the one of the calling thread, and the driver's errors the gateway's."""
        ...

    def freeing(self) -> AbstractContextManager[None]:
        """Gives back, at its end, the memory that is let go of inside."""
        ...

    def allocate(self, size_bytes: int) -> Any:
        """Memory on it: uint8, one axis."""
        ...

    def create_stream(self) -> Any:
        """A queue of work."""
        ...


class DeviceDecoder(Protocol):
    """Decodes JPEGs where their pixels are needed."""

    def decode(self, jpegs: Sequence[bytes], stream: Any) -> list[Any | None]:
        """Each as stored, uint8 (height, width, 3) as RGB; None for one that cannot be decoded."""
        ...


@dataclass(frozen=True, slots=True)
class _Launch:
    """The tables of one launch, and where each frame's tensor begins in the target, in elements."""

    plans: list[FramePlan]
    placements: list[Placement]
    offsets: list[int]


class BatchLane:
    """Decodes, uploads and places frames. Used by one thread, which enters the GPU for each batch.

    Its memory on the GPU grows to the largest batch so far, a frame that alone is larger than ``keep_bytes`` excepted.

    Args:
        device: The GPU.
        decoder: Decodes JPEGs there; None where the CPU decodes all frames.
        batch: So many frames at most in one launch.
        keep_bytes: Memory for pixels beyond this is given back after its batch.
        named: Names the steps for a profiler.
        clock: Monotonic seconds.
    """

    def __init__(
        self,
        device: LaneDevice,
        decoder: DeviceDecoder | None,
        batch: int,
        keep_bytes: int,
        *,
        named: ProfilerRange = unseen_range,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._device = device
        self._decoder = decoder
        self._keep_bytes = keep_bytes
        self._named = named
        self._clock = clock
        self._stream = device.create_stream()
        self._plans = device.allocate(batch * COLUMNS * 8).view(np.int64).reshape(batch, COLUMNS)
        self._normalisations = device.allocate(batch * 6 * 4).view(np.float32).reshape(batch, 6)
        self._source: Any = None
        self._scratch: Any = None

    def place(self, batch: Sequence[WaitingFrame]) -> list[PlacedFrame | None]:
        """Write each frame's tensor into its slot; all go into the same memory, with the same type.

        Returns:
            For each frame, when the GPU is done with it; None where it could not decode a JPEG.

        Raises:
            DeviceMemoryFull, DeviceLost, DeviceRefused: No frame of the batch is prepared. The stream has nothing of it
                left to do, unless the GPU is lost.
        """
        starts = np.cumsum([0, *(frame.pixel_bytes for frame in batch)]).tolist()
        try:
            with self._device.in_use("prepare frames", starts[-1]):
                self._make_room(starts[-1], sum(frame.spec.size_bytes for frame in batch), batch[0].memory)
                return self._place_or_settle(batch, starts)
        except BackendError:
            raise
        except Exception as error:
            _LOG.exception("a batch of frames failed on the GPU")
            raise DeviceRefused("prepare frames", f"{type(error).__name__}: {error}") from error

    def _place_or_settle(self, batch: Sequence[WaitingFrame], starts: list[int]) -> list[PlacedFrame | None]:
        try:
            return self._place(batch, starts)
        except Exception as error:
            with suppress(Exception):  # the first error is the one to tell
                self._stream.synchronize()  # a copy that is under way reads blocks that are handed out again
            traceback.clear_frames(error.__traceback__)  # they hold memory of the GPU, which is freed in its context
            raise
        finally:
            if self._source.size > self._keep_bytes:
                with self._device.freeing():
                    self._source = None

    def _place(self, batch: Sequence[WaitingFrame], starts: list[int]) -> list[PlacedFrame | None]:
        decoding_at = self._clock()
        with self._named("decode"):
            undecoded = self._decode(batch, starts)
        decode_seconds = self._clock() - decoding_at
        ready = [(frame, start) for frame, start in zip(batch, starts, strict=False) if frame not in undecoded]
        with self._named("upload"):
            for frame, start in ready:
                if frame.block is not None:
                    self._source_part(frame, start).copy_to_device(frame.block[: frame.pixel_bytes], self._stream)
        launch = _plan(ready)
        if ready:
            with self._named("letterbox"):
                self._launch([frame for frame, _ in ready], launch)
        done_at = self._clock()
        placements = iter(launch.placements)
        return [
            None
            if frame in undecoded
            else PlacedFrame(next(placements), 0.0 if frame.block is not None else decode_seconds, done_at)
            for frame in batch
        ]

    def _decode(self, batch: Sequence[WaitingFrame], starts: list[int]) -> list[WaitingFrame]:
        """Frames that the GPU was to decode and could not."""
        encoded = [(frame, start) for frame, start in zip(batch, starts, strict=False) if frame.block is None]
        if not encoded or self._decoder is None:
            return [frame for frame, _ in encoded]
        pictures = self._decoder.decode([bytes(frame.data) for frame, _ in encoded], self._stream)
        undecoded = []
        for (frame, start), picture in zip(encoded, pictures, strict=True):
            if picture is not None and _is_whole(picture, frame):
                self._source_part(frame, start).copy_to_device(picture.reshape(-1), self._stream)
            else:
                undecoded.append(frame)
        self._stream.synchronize()  # the pictures' memory is the decoder's again after
        return undecoded

    def _source_part(self, frame: WaitingFrame, start: int) -> Any:
        return self._source[start : start + frame.pixel_bytes]

    def _launch(self, frames: Sequence[WaitingFrame], launch: _Launch) -> None:
        count, memory = len(frames), frames[0].memory
        dtype = np.uint8 if frames[0].spec.datatype == "UINT8" else np.float32
        table = plan_table(launch.plans)  # both tables live until the stream is done with them
        factors = normalisation_table([_normalisation(frame.spec) for frame in frames])
        self._plans[:count].copy_to_device(table, self._stream)
        self._normalisations[:count].copy_to_device(factors, self._stream)
        target = memory.values if isinstance(memory, DeviceFrameMemory) else self._scratch
        width = max(frame.spec.width for frame in frames)
        height = max(frame.spec.height for frame in frames)
        plans, normalisations = self._plans[:count], self._normalisations[:count]
        typed = target.view(dtype)
        with LAUNCHING:
            place_frames(self._source, plans, normalisations, typed, input_wh=(width, height), stream=self._stream)
        if isinstance(memory, HostFrameMemory):
            for frame, offset in zip(frames, launch.offsets, strict=True):
                values = frame.spec.width * frame.spec.height * 3
                out = memory.array(frame.slot, (values,), dtype)
                typed[offset : offset + values].copy_to_host(out, stream=self._stream)
        self._stream.synchronize()

    def _make_room(self, source_bytes: int, target_bytes: int, memory: FrameMemory) -> None:
        if self._source is None or self._source.size < source_bytes:
            with self._device.freeing():  # before the larger one is asked for
                self._source = None
            self._source = self._device.allocate(_rounded(source_bytes))
        if isinstance(memory, HostFrameMemory) and (self._scratch is None or self._scratch.size < target_bytes):
            with self._device.freeing():
                self._scratch = None
            self._scratch = self._device.allocate(_rounded(target_bytes))


def _is_whole(picture: Any, frame: WaitingFrame) -> bool:
    """Whether a decoder's answer is the frame that its header promised, in one piece."""
    return bool(picture.shape == (frame.stored_wh[1], frame.stored_wh[0], 3) and picture.flags["C_CONTIGUOUS"])


def _rounded(size_bytes: int) -> int:
    return 1 << max(size_bytes - 1, _SMALLEST_BYTES - 1).bit_length()


def _plan(ready: Sequence[tuple[WaitingFrame, int]]) -> _Launch:
    launch, scratch_offset = _Launch([], [], []), 0
    for frame, start in ready:
        spec = frame.spec
        value_bytes = 1 if spec.datatype == "UINT8" else 4
        if isinstance(frame.memory, DeviceFrameMemory):
            offset = frame.memory.offset(frame.slot) // value_bytes
        else:
            offset = scratch_offset
            scratch_offset += spec.width * spec.height * 3
        source = SourceFrame(start, frame.stored_wh, frame.orientation, frame.frame_wh)
        plan, placement = plan_frame(source, _layout(spec), offset)
        launch.plans.append(plan)
        launch.placements.append(placement)
        launch.offsets.append(offset)
    return launch


def _layout(spec: InputSpec) -> InputLayout:
    return InputLayout((spec.width, spec.height), spec.mode, spec.pad_value, spec.color, spec.layout == "NCHW")


def _normalisation(spec: InputSpec) -> Normalisation:
    if spec.datatype == "UINT8":
        return IDENTITY
    factor, shift = factor_and_shift(spec)
    return _three(factor), _three(shift)


def _three(values: NDArray[np.float32]) -> tuple[float, float, float]:
    first, second, third = values.tolist()
    return first, second, third
