"""What the compiler asks a trainer, another program, to do: ``<trainer> work job.json``."""

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

RESULT_FILE = "result.json"

Action = Literal["export", "prune", "distill"]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class TrainingJob(BaseModel):
    """One piece of work; what two equal ones learn differs only by the rounding of sums.

    Attributes:
        action: ``export``: write the plain FP32 ONNX; ``prune``: remove channels, then fine-tune; ``distill``: learn
            from a larger network.
        network: The trainer's name for the network.
        weights: The trainer's file to begin with.
        output: Folder for ``result.json`` and the files that it names, and for what is needed to go on after an
            interruption.
        teacher_network, teacher_weights: What a ``distill`` learns from.
        temperature, alpha: Of a ``distill``: softening, and the teacher's share of the loss.
        parameter_reduction: Of a ``prune``: share of the parameters to remove.
        epochs, frame_count: Of a ``prune`` or ``distill``; None leaves them to the trainer.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_version: Literal[1] = 1
    action: Action
    network: str
    weights: Path
    output: Path
    seed: int = 0
    teacher_network: str | None = None
    teacher_weights: Path | None = None
    temperature: float = Field(default=2.0, gt=0.0)
    alpha: float = Field(default=0.5, ge=0.0, le=1.0)
    parameter_reduction: float | None = Field(default=None, gt=0.0, lt=1.0)
    epochs: int | None = Field(default=None, ge=1)
    frame_count: int | None = Field(default=None, ge=1)

    @model_validator(mode="after")
    def _has_what_its_action_needs(self) -> Self:
        if self.action == "distill" and (self.teacher_network is None or self.teacher_weights is None):
            raise ValueError("action 'distill' needs teacher_network and teacher_weights")
        if self.action == "prune" and self.parameter_reduction is None:
            raise ValueError("action 'prune' needs parameter_reduction")
        return self


class TrainingResult(BaseModel):
    """``result.json``; its paths are relative to the job's folder.

    Attributes:
        weights: The network as it is now, in the trainer's form.
        onnx: The plain FP32 model with an open batch axis, of an ``export``.
        parity: Of an ``export``: largest difference between the trainer's own outputs and the ONNX, by batch size;
            boxes as a share of the input's width.
        notes: What there is to tell, a line each.

    Whoever reads it compares ``stated_sha256`` with the files before using them.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_version: Literal[1] = 1
    action: Action
    weights: Path
    weights_sha256: Sha256
    parameter_count: int = Field(ge=1)
    onnx: Path | None = None
    onnx_sha256: Sha256 | None = None
    parity: dict[int, float] = Field(default_factory=dict)
    minutes: float = Field(default=0.0, ge=0.0)
    notes: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _states_the_hash_of_its_model(self) -> Self:
        if (self.onnx is None) != (self.onnx_sha256 is None):
            raise ValueError("onnx and onnx_sha256 belong together")
        if self.action == "export" and self.onnx is None:
            raise ValueError("action 'export' needs onnx and onnx_sha256")
        return self

    @property
    def stated_sha256(self) -> dict[Path, str]:
        """What each file of the result should be."""
        stated = {self.weights: self.weights_sha256}
        return stated if self.onnx is None or self.onnx_sha256 is None else stated | {self.onnx: self.onnx_sha256}
