"""What a build says about itself: ``card.json``, repeated in Triton's model config so that a gateway needs no file."""

from collections.abc import Sequence
from typing import Literal, Self

from pydantic import AwareDatetime, Field, model_validator

from contracts.build_name import BuildName
from contracts.build_performance import BuildPerformance
from contracts.card_part import CardPart, Score, Sha256
from contracts.confidence_calibration import ConfidenceCalibration
from contracts.drift_reference import DriftReference
from contracts.quantization import Quantization, Variant

CARD_PARAMETER = "outpost_card"
"""Key of the model config parameter that repeats the card as JSON."""
CLASSIFICATION_DECODERS = frozenset({"probabilities", "logits"})


class InputSpec(CardPart):
    """The picture tensor: what the gateway writes for each frame.

    A grafted build takes ``UINT8`` ``NHWC`` and normalises inside the graph; ``scale``, ``mean`` and ``std`` are then
    only information. For an ungrafted ``FP32`` build the gateway computes ``(pixel * scale - mean) / std`` itself.
    """

    name: str = "images"
    width: int = Field(ge=1, le=8192)
    height: int = Field(ge=1, le=8192)
    datatype: Literal["UINT8", "FP32"] = "UINT8"
    layout: Literal["NHWC", "NCHW"] = "NHWC"
    color: Literal["rgb", "bgr"] = "rgb"
    mode: Literal["letterbox", "stretch", "crop"] = "letterbox"
    pad_value: int = Field(default=114, ge=0, le=255)
    scale: float = 1.0 / 255.0
    mean: tuple[float, float, float] = (0.0, 0.0, 0.0)
    std: tuple[float, float, float] = (1.0, 1.0, 1.0)

    @model_validator(mode="after")
    def _std_is_not_zero(self) -> Self:
        if any(value == 0.0 for value in self.std):
            raise ValueError(f"std must not contain 0, got {self.std}")
        return self

    @property
    def size_bytes(self) -> int:
        """Bytes of one frame's tensor."""
        return self.width * self.height * 3 * (1 if self.datatype == "UINT8" else 4)

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """Tensor shape of one frame, batch axis first."""
        if self.layout == "NHWC":
            return (1, self.height, self.width, 3)
        return (1, 3, self.height, self.width)


class OutputSpec(CardPart):
    """How the output tensor is read.

    Detection, candidates ``(x1, y1, x2, y2, score, class)`` in input pixels: ``candidates``: already in this form
    (grafted); ``yolov8``: ``[4 + C, A]``; ``yolov5``: ``[A, 5 + C]``.
    Classification, one value for each label, ``[C]``: ``probabilities``: they sum to 1 (grafted); ``logits``: the
    gateway applies the softmax.
    """

    name: str = "candidates"
    decoder: Literal["candidates", "yolov8", "yolov5", "probabilities", "logits"] = "candidates"


class Thresholds(CardPart):
    """Lowest score that is reported, overall and by label."""

    default: Score = 0.25
    by_label: dict[str, Score] = Field(default_factory=dict)

    def check_labels(self, labels: Sequence[str]) -> None:
        """Check them against the labels of their model.

        Raises:
            ValueError: One is of a label that is not among them, or a label is there twice.
        """
        unknown = sorted(set(self.by_label) - set(labels))
        if unknown:
            raise ValueError(f"thresholds.by_label names {unknown}, which are not among the labels {list(labels)}")
        if len(set(labels)) != len(labels):
            raise ValueError(f"labels must differ, got {list(labels)}")


class NmsSpec(CardPart):
    """Non-maximum suppression of the gateway."""

    iou_threshold: Score = 0.5
    class_agnostic: bool = False
    max_detections: int = Field(default=100, ge=1, le=300)


class Metric(CardPart):
    """One measured number, with what it was measured on; ``low`` and ``high`` bound its 95 % interval."""

    name: str
    value: float
    low: float | None = None
    high: float | None = None
    dataset: str
    dataset_sha256: Sha256 | None = None
    n: int = Field(ge=1)


class ModelCard(CardPart):
    """Everything a gateway, a device and a reader need to know of one build."""

    schema_version: Literal[1] = 1
    model: str
    version: str
    hardware_class: str
    task: Literal["detection", "classification"] = "detection"
    description: str = ""
    labels: tuple[str, ...] = Field(min_length=1)
    input: InputSpec
    output: OutputSpec = OutputSpec()
    thresholds: Thresholds = Thresholds()
    nms: NmsSpec = NmsSpec()
    metrics: tuple[Metric, ...] = ()
    files: dict[str, Sha256] = Field(default_factory=dict, description="sha256 of every file under 1/, by path")
    variant: Variant = "f32"
    pruned: bool = Field(default=False, description="whether channels were removed")
    parameter_count: int | None = Field(default=None, ge=1)
    parameter_reduction: Score | None = Field(
        default=None, description="share of the whole network's parameters that pruning removed; None where not known"
    )
    reference_sha256: Sha256 | None = Field(default=None, description="the plain FP32 model it was made from")
    quantization: Quantization | None = None
    performance: tuple[BuildPerformance, ...] = ()
    confidence: ConfidenceCalibration | None = None
    drift_reference: DriftReference | None = None
    caveats: tuple[str, ...] = Field(default=(), description="what was not shown of the build, a sentence each")
    changelog: tuple[str, ...] = ()
    built_at: AwareDatetime | None = Field(default=None, description="when it was packaged, UTC")
    built_with: dict[str, str] = Field(default_factory=dict, description="versions of the libraries that made it")

    @model_validator(mode="after")
    def _has_a_build_name(self) -> Self:
        BuildName.parse(self.build)
        return self

    @model_validator(mode="after")
    def _output_suits_the_task(self) -> Self:
        if (self.output.decoder in CLASSIFICATION_DECODERS) != (self.task == "classification"):
            raise ValueError(f"task {self.task!r} cannot be read with output.decoder {self.output.decoder!r}")
        return self

    @model_validator(mode="after")
    def _thresholds_name_labels(self) -> Self:
        self.thresholds.check_labels(self.labels)
        return self

    @property
    def build(self) -> str:
        """The build's name, ``<model>-<version>_<class>``."""
        return f"{self.model}-{self.version}_{self.hardware_class}"
