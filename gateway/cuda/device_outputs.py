"""Outputs that models have written on a GPU: selected there where that is quicker, else copied."""

import logging
import statistics
import threading
import time
from collections.abc import Callable, Collection
from contextlib import nullcontext
from typing import Any, Unpack

import numpy as np
from numpy.typing import NDArray

from gateway.cuda.device import CudaDevice
from gateway.cuda.launch_lock import LAUNCHING
from gateway.device_output import RawOutput, SelectionOptions
from gateway.errors import BackendError
from vision.cuda.detections import DeviceSelector
from vision.heads import candidates_of
from vision.nms import select_detections

_LOG = logging.getLogger(__name__)
_ROUNDS = 5
_LIKELY_ANCHORS = 100


class DeviceOutputs:
    """Reads outputs. For each kind it has measured whether the GPU or the CPU selects from it more quickly.

    Args:
        device: Where outputs lie.
        clock: Seconds, for the measurement.

    Raises:
        DeviceMemoryFull, DeviceLost: The GPU.
    """

    def __init__(self, device: CudaDevice, clock: Callable[[], float] = time.perf_counter) -> None:
        self._device = device
        self._clock = clock
        self._stream = device.create_stream()
        self._selecting = threading.Lock()
        self._selectors: dict[RawOutput, DeviceSelector | None] = {}

    def expect(self, kinds: Collection[RawOutput]) -> None:
        """Measure who selects from such outputs, once, and forget the others. Compiles kernels, which takes seconds."""
        for kind in kinds:
            if kind not in self._selectors:
                self._selectors[kind] = self._quicker_or_none(kind)
        kept = {kind: self._selectors[kind] for kind in kinds}
        try:
            with self._device.freeing():
                self._selectors = kept
        except BackendError:  # memory of a lost GPU is gone anyway
            self._selectors = kept

    def _quicker_or_none(self, kind: RawOutput) -> DeviceSelector | None:
        try:
            return self._quicker(kind)
        except Exception as error:  # noqa: BLE001 - the CPU selects as well, and frames must be served
            _LOG.warning("detections are not selected on the GPU", extra={"reason": str(error)})
            return None

    def _quicker(self, kind: RawOutput) -> DeviceSelector | None:
        with self._device.in_use("make room for NMS"):
            selector = DeviceSelector(kind.layout, kind.shape, kind.labels)
        gpu_seconds, cpu_seconds = self._seconds(kind, selector), self._seconds(kind, None)
        place = "GPU" if gpu_seconds < cpu_seconds else "CPU"
        milliseconds = {"gpu_ms": round(1e3 * gpu_seconds, 3), "cpu_ms": round(1e3 * cpu_seconds, 3)}
        _LOG.info("detections are selected on the %s", place, extra={"shape": list(kind.shape), **milliseconds})
        return selector if place == "GPU" else None

    def output(self, values: Any, begin: int, kind: RawOutput) -> "OutputOnDevice":
        """The output that begins at a byte of an array on the GPU, uint8 with one axis."""
        return self._read_by(self._selectors.get(kind), values, begin, kind)

    def _read_by(self, selector: DeviceSelector | None, values: Any, begin: int, kind: RawOutput) -> "OutputOnDevice":
        return OutputOnDevice(self._device, self._stream, values, begin, kind, selector, self._selecting)

    def _seconds(self, kind: RawOutput, selector: DeviceSelector | None) -> float:
        values = self._device.upload(_likely_output(kind).reshape(-1).view(np.uint8))
        output = self._read_by(selector, values, 0, kind)
        thresholds = np.full(kind.labels, 0.25, np.float32)
        took = []
        for _ in range(1 + _ROUNDS):  # the first compiles
            began_at = self._clock()
            output.select(thresholds=thresholds, iou_threshold=0.5, class_agnostic=False, max_detections=100)
            took.append(self._clock() - began_at)
        return statistics.median(took[1:])


class OutputOnDevice:
    """``DeviceOutput``: valid as long as the frame has its slot.

    Args:
        device: Where it lies.
        stream: Where it is read.
        memory: On the GPU, uint8, one axis.
        begin: Where the output begins there, in bytes.
        kind: What it is.
        selector: Of this kind; None where the CPU is quicker.
        selecting: Held while the selector works, which has room for one output.
    """

    def __init__(
        self,
        device: CudaDevice,
        stream: Any,
        memory: Any,
        begin: int,
        kind: RawOutput,
        selector: DeviceSelector | None,
        selecting: threading.Lock,
    ) -> None:
        self._device = device
        self._stream = stream
        self._memory = memory
        self._begin = begin
        self._kind = kind
        self._selector = selector
        self._selecting = selecting

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
        if self._selector is None:
            return select_detections(candidates_of(self.to_host(), self._kind.layout), **options)
        launching = LAUNCHING if self._device.simulated else nullcontext()  # a GPU's kernels are compiled by now
        with launching, self._selecting, self._device.in_use("select detections"):
            return self._selector.select(self._values(), stream=self._stream, **options)


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
