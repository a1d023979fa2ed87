"""What the stages of a compilation hand to one another."""

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from pydantic import BaseModel, ConfigDict

from contracts.build_performance import BuildPerformance
from contracts.confidence_calibration import ConfidenceCalibration
from contracts.drift_reference import DriftReference
from contracts.model_card import InputSpec, Metric, OutputSpec, Thresholds
from contracts.quantization import Quantization
from model_compiler.variant import BuildVariant


class StageRecord(BaseModel):
    """A stage that ran, the sha256 of the model it left, and what it has to tell, a line each."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    stage: str
    model_sha256: str
    notes: tuple[str, ...] = ()


class ArtifactFacts(BaseModel):
    """What is known of a model so far.

    Attributes:
        hardware_class: What the build is for.
        input: The picture tensor that the model takes as it is now.
        output: How its output is to be read as it is now.
        reference_input, reference_output: The same of the reference.
        reference_is_plain: Whether the reference is the plain FP32 model, and not the graph of a build.
        plain_sha256: Of the plain FP32 model where the reference is another; None where that build does not say.
        variant: How it will be run; None while the model is common to all variants.
        parameter_count: Learned numbers of the plain FP32 model.
        parameter_reduction: Of a pruned one, the share of the whole model's that is gone; None where that is not known.
        metrics: What was measured.
        caveats: What could not be shown, a sentence each.
        history: The stages that ran, in order.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    hardware_class: str
    input: InputSpec
    output: OutputSpec
    reference_input: InputSpec
    reference_output: OutputSpec
    reference_is_plain: bool = True
    plain_sha256: str | None = None
    variant: BuildVariant | None = None
    parameter_count: int | None = None
    parameter_reduction: float | None = None
    quantization: Quantization | None = None
    metrics: tuple[Metric, ...] = ()
    caveats: tuple[str, ...] = ()
    performance: tuple[BuildPerformance, ...] = ()
    confidence: ConfidenceCalibration | None = None
    drift_reference: DriftReference | None = None
    thresholds: Thresholds | None = None
    history: tuple[StageRecord, ...] = ()


@dataclass(frozen=True, slots=True)
class Artifact:
    """A model on its way to a build.

    Attributes:
        model: Serialised ONNX.
        reference: What everything is compared with, serialised: the plain FP32 model, or the graph of the build that
            this one is made from; the same until quantised.
        facts: What is known of it.
        ranges: Calibration cache: what its activations were seen to take; empty until calibrated.
        build: Contents of the build directory by relative path; empty until packaged.
    """

    model: bytes
    reference: bytes
    facts: ArtifactFacts
    ranges: bytes = b""
    build: Mapping[str, bytes] = field(default_factory=lambda: MappingProxyType({}))

    @property
    def model_sha256(self) -> str:
        """Identity of the model."""
        return hashlib.sha256(self.model).hexdigest()

    @property
    def reference_sha256(self) -> str:
        """Identity of what everything is compared with."""
        return hashlib.sha256(self.reference).hexdigest()

    @property
    def identity(self) -> str:
        """One sha256 over the model, the reference and everything known."""
        ranges = hashlib.sha256(self.ranges).hexdigest()
        parts = [self.model_sha256, self.reference_sha256, ranges, self.facts.model_dump_json()]
        parts += [f"{path}={hashlib.sha256(data).hexdigest()}" for path, data in sorted(self.build.items())]
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()

    def knowing(self, **facts: object) -> "Artifact":
        """This artifact with some facts replaced."""
        known = {name: getattr(self.facts, name) for name in ArtifactFacts.model_fields}
        return dataclasses.replace(self, facts=ArtifactFacts.model_validate(known | facts))

    def recorded(self, stage: str, *notes: str) -> "Artifact":
        """This artifact with one more stage in its history."""
        record = StageRecord(stage=stage, model_sha256=self.model_sha256, notes=notes)
        return self.knowing(history=(*self.facts.history, record))
