"""Outputs that models have written on a GPU: selected there where that is quicker, else copied."""

import logging
import statistics
import time
import traceback
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from typing import Any, Unpack

import numpy as np
from numpy.typing import NDArray

from gateway.cuda.device import CudaDevice
from gateway.cuda.device_room import DeviceRoom
from gateway.cuda.selection_rooms import SelectionRooms
from gateway.device_output import RawOutput, SelectionOptions
from gateway.errors import DeviceLost
from vision.heads import candidates_of
from vision.nms import select_detections

_LOG = logging.getLogger(__name__)
_ROUNDS = 5
_LIKELY_ANCHORS = 100
_QUICKER = 0.8

_Known = dict[RawOutput, SelectionRooms | None]


class DeviceOutputs:
    """Reads outputs. For each kind it measures whether the GPU or the CPU selects from it more quickly.

    Until that is known, and where it cannot be measured, outputs are copied and the CPU selects.

    Args:
        device: Where outputs lie.
        at_one_time: So many selections of a kind, on the GPU, do not wait for each other.
        clock: Seconds, for the measurement.

    Raises:
        DeviceMemoryFull, DeviceLost: The GPU.
    """

    def __init__(
        self, device: CudaDevice, at_one_time: int = 1, clock: Callable[[], float] = time.perf_counter
    ) -> None:
        self._device = device
        self._clock = clock
        self._stream, self._measuring = device.create_stream(), device.create_stream()
        # numba remembers each stream that a kernel was launched in, so that rooms that come and go share a few
        self._room_streams = [device.create_stream() for _ in range(at_one_time)]
        self._region = ""
        self._kinds: frozenset[RawOutput] = frozenset()
        self._rooms: _Known = {}
        self._rooms_before: _Known = {}
        self._lost = False
        self._when_to_measure: Callable[[], None] = lambda: None

    def when_to_measure(self, tell: Callable[[], None]) -> None:
        """Who is told that ``measure`` should be called, from another thread."""
        self._when_to_measure = tell

    def expect(self, region: str, kinds: Collection[RawOutput]) -> None:
        """Such outputs come from here on, and no others, all into this region; returns at once."""
        self._region = region
        if self._kinds != frozenset(kinds):
            self._kinds = frozenset(kinds)
            self._when_to_measure()

    def forget(self, region: str) -> None:
        """No outputs come into this region any more; returns at once."""
        if self._region == region:
            self.expect(region, ())

    def measure(self) -> None:
        """Measure for each kind who selects more quickly, and forget kinds that do not come any more.

        Called again and again, for what else the GPU does changes the answer. Compiles kernels, which takes seconds;
        outputs are read meanwhile. A failure is logged and changes nothing; on a lost GPU nothing is measured again.
        """
        if self._lost:
            return
        found: _Known = {}
        for kind in self._kinds:
            try:
                found[kind] = self._quicker(kind)
            except Exception as error:  # noqa: BLE001 - the CPU selects as well, and frames must be served
                _LOG.warning("it is not measured who selects detections", extra={"reason": str(error)})
                self._let_go(error)
                if isinstance(error, DeviceLost):
                    self._lost, found = True, {}
                    break
                if kind in self._rooms:
                    found[kind] = self._rooms[kind]
        with suppress(Exception), self._device.freeing():  # memory of a lost GPU is gone anyway
            self._rooms_before = {}
        self._rooms_before, self._rooms = self._rooms, found  # an output that is read does not let go of them last

    def _let_go(self, error: BaseException | None) -> None:
        """Of the memory of the GPU that an error's frames hold, where it can be freed."""
        with suppress(Exception), self._device.freeing():
            while error is not None:
                traceback.clear_frames(error.__traceback__)
                error = error.__context__

    def _quicker(self, kind: RawOutput) -> SelectionRooms | None:
        gpu_seconds, cpu_seconds = self._seconds(kind, on_gpu=True), self._seconds(kind, on_gpu=False)
        if kind in self._rooms:  # where both are about as quick, each measurement would change the place
            known = self._rooms[kind]
            here, there = (gpu_seconds, cpu_seconds) if known else (cpu_seconds, gpu_seconds)
            if there >= _QUICKER * here:
                return known
        rooms = self._make_rooms(kind, self._room_streams) if gpu_seconds < cpu_seconds else None
        place = "GPU" if rooms else "CPU"
        milliseconds = {"gpu_ms": round(1e3 * gpu_seconds, 3), "cpu_ms": round(1e3 * cpu_seconds, 3)}
        _LOG.info("detections are selected on the %s", place, extra={"shape": list(kind.shape), **milliseconds})
        return rooms

    def _make_rooms(self, kind: RawOutput, streams: Sequence[Any]) -> SelectionRooms:
        with self._device.in_use("make room for NMS"):
            return SelectionRooms([DeviceRoom(self._device, kind, stream) for stream in streams])

    def _seconds(self, kind: RawOutput, *, on_gpu: bool) -> float:
        values = self._device.upload(_likely_output(kind).reshape(-1).view(np.uint8))
        rooms = self._make_rooms(kind, [self._measuring]) if on_gpu else None
        output = OutputOnDevice(self._device, self._stream, values, 0, kind, rooms)
        thresholds = np.full(kind.labels, 0.25, np.float32)
        took = []
        for _ in range(1 + _ROUNDS):  # the first compiles
            began_at = self._clock()
            output.select(thresholds=thresholds, iou_threshold=0.5, class_agnostic=False, max_detections=100)
            took.append(self._clock() - began_at)
        with self._device.freeing():
            del output, rooms, values
        return statistics.median(took[1:])

    def output(self, values: Any, begin: int, kind: RawOutput) -> "OutputOnDevice":
        """The output that begins at a byte of an array on the GPU, uint8 with one axis."""
        return OutputOnDevice(self._device, self._stream, values, begin, kind, self._rooms.get(kind))


class OutputOnDevice:
    """``DeviceOutput``: valid as long as the frame has its slot.

    Args:
        device: Where it lies.
        stream: Where all of it is copied.
        memory: On the GPU, uint8, one axis.
        begin: Where the output begins there, in bytes.
        kind: What it is.
        rooms: Where detections are selected; None for the CPU.
    """

    def __init__(
        self, device: CudaDevice, stream: Any, memory: Any, begin: int, kind: RawOutput, rooms: SelectionRooms | None
    ) -> None:
        self._device = device
        self._stream = stream
        self._memory = memory
        self._begin = begin
        self._kind = kind
        self._rooms = rooms

    def _values(self) -> Any:
        """For a thread that has the device in use: cutting an array opens the first GPU where none is."""
        part = self._memory[self._begin : self._begin + self._kind.size_bytes]
        return part.view(np.float32).reshape(self._kind.shape)

    def to_host(self) -> NDArray[np.float32]:
        """All of it, copied.

        Raises:
            DeviceLost: The GPU does not work any more.
        """
        with self._device.in_use("copy an output"):
            copied: NDArray[np.float32] = self._values().copy_to_host(stream=self._stream)
            self._stream.synchronize()
            return copied

    def select(self, **options: Unpack[SelectionOptions]) -> NDArray[np.float32]:
        """What thresholds and NMS leave of it: (M, 6), as `vision.nms.select_detections`.

        Raises:
            vision.errors.InvalidModelOutput: A number that is not finite.
            ValueError: The shape is not the layout's.
            DeviceLost: The GPU does not work any more.
        """
        if self._rooms is None:
            return select_detections(candidates_of(self.to_host(), self._kind.layout), **options)
        with self._rooms.one() as room, self._device.in_use("select detections"):
            return room.select(self._values(), **options)


def _likely_output(kind: RawOutput) -> NDArray[np.float32]:
    """Boxes all over the picture, of which a hundred are sure enough."""
    chance = np.random.default_rng(0)
    columns_first = kind.layout == "yolov8"
    anchors = kind.shape[1] if columns_first else kind.shape[0]
    rows = np.zeros((anchors, kind.shape[0] if columns_first else kind.shape[1]), np.float32)
    rows[:, :2] = chance.uniform(0, 640, (anchors, 2))
    rows[:, 2:4] = chance.uniform(8, 200, (anchors, 2))
    rows[:, 4:] = 0.01
    if not columns_first:
        rows[:, 4] = 1.0
    sure = chance.choice(anchors, min(_LIKELY_ANCHORS, anchors), replace=False)
    rows[sure, -1 - chance.integers(0, kind.labels, len(sure))] = chance.uniform(0.3, 0.9, len(sure))
    return np.ascontiguousarray(rows.T) if columns_first else rows
