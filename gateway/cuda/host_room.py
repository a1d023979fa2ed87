"""Detections that the CPU selects from outputs on a GPU."""

from typing import Any, Unpack

import numpy as np
from numpy.typing import NDArray

from gateway.cuda.device import CudaDevice
from gateway.device_output import RawOutput, SelectionOptions
from vision.heads import candidates_of
from vision.nms import select_detections


class HostRoom:
    """``SelectionRoom`` on the CPU: the output is copied into pinned memory.

    Args:
        device: Is in use where the room is used.
        kind: Of the outputs.
    """

    def __init__(self, device: CudaDevice, kind: RawOutput) -> None:
        pinned = device.allocate_pinned(kind.size_bytes)
        self._copy: NDArray[np.float32] = pinned.view(np.float32).reshape(kind.shape)
        self._stream = device.create_stream()
        self._layout = kind.layout

    def select(self, values: Any, **options: Unpack[SelectionOptions]) -> NDArray[np.float32]:
        """Copy and select."""
        values.copy_to_host(self._copy, stream=self._stream)
        self._stream.synchronize()
        return select_detections(candidates_of(self._copy, self._layout), **options)
