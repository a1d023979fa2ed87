"""The frozen values that travel between the servers, the workflow and Triton."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from contracts.model_card import ModelCard

Parameter = bool | int | float | str
Parameters = Mapping[str, Parameter]
NO_PARAMETERS: Parameters = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Tensor:
    """A named tensor as it travels: ``data`` is little-endian, C order; BYTES elements are length-prefixed."""

    name: str
    datatype: str
    shape: tuple[int, ...]
    data: bytes | memoryview
    parameters: Parameters = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RequestedOutput:
    """An output the caller asked for."""

    name: str
    parameters: Parameters = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class InferRequest:
    """One inference request of the Open Inference Protocol.

    ``arrived_at`` (when its first byte was read) and ``deadline_at`` are readings of the monotonic clock.
    """

    model: str
    inputs: tuple[Tensor, ...]
    version: str = ""
    id: str = ""
    parameters: Parameters = field(default_factory=dict)
    outputs: tuple[RequestedOutput, ...] = ()
    arrived_at: float | None = None
    deadline_at: float | None = None


@dataclass(frozen=True, slots=True)
class InferResponse:
    """The answer to an ``InferRequest``; ``found_at`` is when its contents were known, encoding not yet begun."""

    model: str
    version: str
    id: str
    outputs: tuple[Tensor, ...]
    parameters: Parameters = field(default_factory=dict)
    found_at: float | None = None


@dataclass(frozen=True, slots=True)
class FrameTask:
    """What is asked about each frame of a request; times are readings of the monotonic clock.

    ``threshold`` is the lowest score for every class, instead of the card's.
    """

    build: str
    card: ModelCard
    arrived_at: float
    deadline_at: float
    threshold: float | None = None


@dataclass(frozen=True, slots=True)
class StageTimes:
    """Seconds a frame spent in each stage; the stages follow each other without gaps."""

    queue: float = 0.0
    decode: float = 0.0
    letterbox: float = 0.0
    infer: float = 0.0
    postprocess: float = 0.0

    @property
    def total(self) -> float:
        """Seconds from the frame's arrival to its detections."""
        return self.queue + self.decode + self.letterbox + self.infer + self.postprocess


@dataclass(frozen=True, slots=True)
class FrameDetections:
    """What was found in one frame, best first.

    ``boxes_xyxy`` is FP32 (M, 4) in pixels of the frame as displayed (EXIF orientation applied), ``scores`` FP32 (M,),
    ``classes`` INT32 (M,).
    """

    boxes_xyxy: NDArray[np.float32]
    scores: NDArray[np.float32]
    classes: NDArray[np.int32]
    frame_width: int
    frame_height: int
    times: StageTimes = field(default_factory=StageTimes)


@dataclass(frozen=True, slots=True)
class DetectionResult:
    """The frames of one request, with the build that answered and why it was this one."""

    alias: str
    build: str
    reason: str
    labels: tuple[str, ...]
    frames: tuple[FrameDetections, ...]
