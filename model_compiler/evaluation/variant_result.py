"""Everything measured of one variant."""

from pydantic import BaseModel, ConfigDict, Field

from contracts.build_performance import BuildPerformance
from contracts.model_card import Metric
from model_compiler.evaluation.gate_verdict import GateVerdict


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class AccuracyDifference(_Part):
    """Accuracy of a variant minus that of its baseline, in points of a hundred, on the same frames.

    Attributes:
        metric: ``mAP50`` or ``top1``.
        baseline: Name of the other variant.
        points: Below 0 the variant is worse.
        low: Lower end of the 95 % interval of the paired bootstrap.
        high: Upper end.
        frames: How many.
    """

    metric: str
    baseline: str
    points: float
    low: float
    high: float
    frames: int = Field(ge=1)


class Speedup(_Part):
    """Images per second over those of the baseline: median, least and most of the rounds, each of which has both."""

    baseline: str
    ratio: float
    low: float
    high: float


class VariantResult(_Part):
    """One variant of a release on one hardware class.

    Attributes:
        name: For example ``int8-openvino``.
        backend: What ran it.
        size_bytes: Of the model's files.
        parameter_count: As its card says.
        metrics: Accuracy for the card; empty without labels.
        accuracy_by_label: Average precision at IoU 0.5, or recall of a classifier, of each label that occurs.
        confusion: Classifiers: frames by true (rows) and given label.
        difference: Accuracy against the baseline; None without labels, and for the baseline itself.
        agreement: F1 of its detections, or share of equal labels, with the baseline's answers as the truth.
        deciding_frames: How many of the frames difference or agreement rests on; None where that is all of them.
        not_measured: Why nothing was measured of it but its size; empty where it was.
        performance: For the card; its ``status`` says whether anything was measured.
        latency_p50_ms_rounds: Of each round.
        images_per_second_rounds: Of each round.
        speedup: Against the baseline.
        verdict: Of the gate.
        chosen: Whether the build was made of it.
        caveats: What was not shown of it, a sentence each.
    """

    name: str
    backend: str
    size_bytes: int = Field(ge=0)
    parameter_count: int | None = None
    metrics: tuple[Metric, ...] = ()
    accuracy_by_label: dict[str, float] = Field(default_factory=dict)
    confusion: tuple[tuple[int, ...], ...] = ()
    difference: AccuracyDifference | None = None
    agreement: Metric | None = None
    deciding_frames: int | None = Field(default=None, ge=0)
    not_measured: str = ""
    performance: BuildPerformance
    latency_p50_ms_rounds: tuple[float, ...] = ()
    images_per_second_rounds: tuple[float, ...] = ()
    speedup: Speedup | None = None
    verdict: GateVerdict | None = None
    chosen: bool = False
    caveats: tuple[str, ...] = ()

    @property
    def passed(self) -> bool:
        """Whether it was judged and no limit is missed."""
        return self.verdict is not None and self.verdict.passed

    @property
    def failures(self) -> tuple[str, ...]:
        """Limits that it misses, a sentence each."""
        return () if self.verdict is None else self.verdict.failures

    @property
    def not_proven(self) -> tuple[str, ...]:
        """Limits that the frames are too few to decide, a sentence each."""
        return () if self.verdict is None else self.verdict.not_proven

    @property
    def not_shown(self) -> tuple[str, ...]:
        """What measuring leaves open, a sentence each, for the card."""
        unmeasured = (f"nothing was measured: {self.not_measured}",) if self.not_measured else ()
        return (*unmeasured, *self.not_proven)

    def performance_on(self, hardware_class: str) -> BuildPerformance:
        """For the card of a build: what another class measured says nothing, and is ``not_measured``."""
        if self.performance.hardware_class == hardware_class:
            return self.performance
        return BuildPerformance(hardware_class=hardware_class, status="not_measured", runtime=self.backend)

    @property
    def images_per_second(self) -> float:
        """Of several callers; 0 where it was not measured."""
        return self.performance.images_per_second or 0.0

    @property
    def accuracy(self) -> Metric | None:
        """mAP50 of a detector, top-1 of a classifier; None without labels."""
        return self.metrics[0] if self.metrics else None
