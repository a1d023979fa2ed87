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
    """``SelectionRoom`` on the GPU: only detections are copied. The first selection of a process compiles kernels.

    Args:
        device: Is in use where the room is made, and where it is used.
        kind: Of the outputs.
    """

    def __init__(self, device: CudaDevice, kind: RawOutput) -> None:
        self._selector = DeviceSelector(kind.layout, kind.shape, kind.labels)
        self._stream = device.create_stream()
        self._launching = LAUNCHING if device.simulated else nullcontext()

    def select(self, values: Any, **options: Unpack[SelectionOptions]) -> NDArray[np.float32]:
        """Select there, and wait for it."""
        with self._launching:
            return self._selector.select(values, stream=self._stream, **options)
