"""What the stages of a compilation hand to one another."""

import dataclasses
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from contracts.model_card import InputSpec, Metric, OutputSpec


@dataclass(frozen=True, slots=True)
class StageRecord:
    """A stage that ran, and the sha256 of the model it left."""

    stage: str
    model_sha256: str


@dataclass(frozen=True, slots=True)
class Artifact:
    """A model on its way to a build, with what is known of it so far.

    Attributes:
        model: Serialised ONNX.
        hardware_class: What the build is for.
        input: The picture tensor that the model takes as it is now.
        output: How its output is to be read as it is now.
        metrics: What was measured.
        history: The stages that ran, in order.
        build: Contents of the build directory by relative path; empty until packaged.
    """

    model: bytes
    hardware_class: str
    input: InputSpec
    output: OutputSpec
    metrics: tuple[Metric, ...] = ()
    history: tuple[StageRecord, ...] = ()
    build: Mapping[str, bytes] = field(default_factory=lambda: MappingProxyType({}))

    @property
    def model_sha256(self) -> str:
        """Identity of the model."""
        return hashlib.sha256(self.model).hexdigest()

    def recorded(self, stage: str) -> "Artifact":
        """This artifact with one more stage in its history."""
        return dataclasses.replace(self, history=(*self.history, StageRecord(stage, self.model_sha256)))
