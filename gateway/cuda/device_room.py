"""Detections that a GPU selects."""

from contextlib import nullcontext
from typing import Any, Unpack

import numpy as np
from numpy.typing import NDArray

from gateway.cuda.device import CudaDevice
from gateway.cuda.launch_lock import LAUNCHING
from gateway.device_output import RawOutput, SelectionOptions
from vision.cuda.detections import DeviceSelector


class DeviceRoom:
    """Memory for one selection at a time; only detections are copied. The first one of a process compiles kernels.

    Args:
        device: Is in use where the room is made, and where it is used.
        kind: Of the outputs.
        stream: Where it works.
    """

    def __init__(self, device: CudaDevice, kind: RawOutput, stream: Any) -> None:
        self._selector = DeviceSelector(kind.layout, kind.shape, kind.labels)
        self._stream = stream
        self._launching = LAUNCHING if device.simulated else nullcontext()

    def select(self, values: Any, **options: Unpack[SelectionOptions]) -> NDArray[np.float32]:
        """What thresholds and NMS leave of an output on the GPU, as a new array; waits for it."""
        with self._launching:
            return self._selector.select(values, stream=self._stream, **options)
