"""A model's output where it is: on the host, or on the GPU that the model has written it on."""

import math
from dataclasses import dataclass
from typing import Literal, Protocol, TypedDict, Unpack

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class RawOutput:
    """An output whose candidates the gateway finds itself: float32, one frame's.

    Attributes:
        layout: How it is read, see `vision.heads`.
        shape: Without the batch axis.
        labels: How many classes there are.
    """

    layout: Literal["yolov8", "yolov5"]
    shape: tuple[int, ...]
    labels: int

    @property
    def size_bytes(self) -> int:
        """Bytes of one frame's output."""
        return 4 * math.prod(self.shape)


class SelectionOptions(TypedDict):
    """As in `vision.nms.select_detections`."""

    thresholds: NDArray[np.float32]
    iou_threshold: float
    class_agnostic: bool
    max_detections: int


class DeviceOutput(Protocol):
    """A raw output that lies on a GPU."""

    def to_host(self) -> NDArray[np.float32]:
        """All of it, copied."""
        ...

    def select(self, **options: Unpack[SelectionOptions]) -> NDArray[np.float32]:
        """What thresholds and NMS leave of it; only that is copied where the GPU is quicker at it.

        Raises:
            vision.errors.InvalidModelOutput: A number that is not finite.
            ValueError: The shape is not the layout's.
            DeviceLost: The GPU does not work any more.
        """
        ...


ModelOutput = NDArray[np.float32] | DeviceOutput


def on_host(output: ModelOutput) -> NDArray[np.float32]:
    """An output where NumPy can read it; copied where it lies on a GPU."""
    return output if isinstance(output, np.ndarray) else output.to_host()
