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

    ``name`` is the alias or cascade that the caller named, ``threshold`` the lowest score for every class, instead of
    the card's.
    """

    name: str
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

    def __add__(self, other: "StageTimes") -> "StageTimes":
        """Of one frame that went through the stages twice."""
        return StageTimes(
            self.queue + other.queue,
            self.decode + other.decode,
            self.letterbox + other.letterbox,
            self.infer + other.infer,
            self.postprocess + other.postprocess,
        )


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
class FrameClasses:
    """What one frame as a whole is.

    ``probabilities`` is FP32 (C,) in label order, ``order`` INT32 (C,) the indices of all classes, best first, of
    which a server shows some. ``confident``: the best class reaches the threshold of the request or of the card.
    """

    probabilities: NDArray[np.float32]
    order: NDArray[np.int32]
    confident: bool
    frame_width: int
    frame_height: int
    times: StageTimes = field(default_factory=StageTimes)

    @property
    def best(self) -> int:
        """Index of the most probable class."""
        return int(self.order[0])

    @property
    def score(self) -> float:
        """Probability of the best class."""
        return float(self.probabilities[self.order[0]])


@dataclass(frozen=True, slots=True)
class CascadeTask:
    """What is asked about each frame of a request to a cascade.

    ``then`` sees no frame that ``first`` gives the class ``skip_class`` with at least the probability ``skip_score``.
    """

    first: FrameTask
    then: FrameTask
    skip_class: int
    skip_score: float

    def skips(self, verdict: FrameClasses) -> bool:
        """Whether there is no need to look into a frame; scores are compared as the FP32 numbers that models give."""
        best = verdict.best
        return best == self.skip_class and bool(verdict.probabilities[best] >= np.float32(self.skip_score))


@dataclass(frozen=True, slots=True)
class CascadeFrame:
    """One frame of a cascade: the classifier's verdict, and what the detector found where it was asked."""

    verdict: FrameClasses
    found: FrameDetections | None


@dataclass(frozen=True, slots=True)
class CascadeTrace:
    """How a cascade came to its detections: its two aliases, the classifier's labels, and its verdict on each frame.

    ``executed`` says of each frame whether the detector ran on it.
    """

    first: str
    then: str
    labels: tuple[str, ...]
    verdicts: tuple[FrameClasses, ...]
    executed: tuple[bool, ...]

    def aliases_of(self, frame: int) -> tuple[str, ...]:
        """The aliases that ran on a frame, in their order."""
        return (self.first, self.then) if self.executed[frame] else (self.first,)


@dataclass(frozen=True, slots=True)
class DetectionResult:
    """The frames of one request, with the build that answered and why it was this one.

    For a cascade, ``build`` and ``reason`` are those of the members that ran, in their order, with commas.
    """

    alias: str
    build: str
    reason: str
    labels: tuple[str, ...]
    frames: tuple[FrameDetections, ...]
    cascade: CascadeTrace | None = None


@dataclass(frozen=True, slots=True)
class ClassificationResult:
    """The frames of one request to a classifier."""

    alias: str
    build: str
    reason: str
    labels: tuple[str, ...]
    frames: tuple[FrameClasses, ...]
