"""A recipe: one YAML file that says how a release is built for each hardware class."""

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from contracts.model_card import NmsSpec, Thresholds
from model_compiler.errors import NoSuchTarget
from model_compiler.evaluation.gate import GateSettings
from model_compiler.evaluation.settings import EvaluationSettings
from model_compiler.graph.detector_output import Head
from model_compiler.packaging.serving_settings import ServingSettings
from model_compiler.quantization.settings import QuantizationSettings
from model_compiler.variant import BuildVariant

Name = Annotated[str, Field(pattern=r"^[a-z0-9-]+$")]
Task = Literal["detection", "classification"]
Triple = tuple[float, float, float]


class _RecipePart(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class NetworkInput(_RecipePart):
    """How frames were prepared in training: placed into width x height, then ``(pixel * scale - mean) / std``.

    The size may be left out where the model has a fixed one. ``color`` is the order the network was trained on.
    """

    width: int | None = Field(default=None, ge=1, le=8192)
    height: int | None = Field(default=None, ge=1, le=8192)
    color: Literal["rgb", "bgr"] = "rgb"
    mode: Literal["letterbox", "stretch", "crop"] = "letterbox"
    pad_value: int = Field(default=114, ge=0, le=255)
    scale: float = Field(default=1.0 / 255.0, gt=0.0)
    mean: Triple = (0.0, 0.0, 0.0)
    std: Triple = (1.0, 1.0, 1.0)


class NetworkOutput(_RecipePart):
    """The layout of the predictions; ``name`` is needed where the model has several outputs."""

    decoder: Head = "yolov8"
    name: str | None = None


class Target(_RecipePart):
    """How one hardware class may run the model; without ``variants`` the hardware class itself says so."""

    variants: tuple[BuildVariant, ...] = ()

    @model_validator(mode="after")
    def _variants_differ(self) -> Self:
        if len(set(self.variants)) != len(self.variants):
            raise ValueError(f"variants must differ, got {', '.join(map(str, self.variants))}")
        return self


class Distillation(_RecipePart):
    """The network learns from a larger one before it is compiled (Hinton et al. 2015).

    Attributes:
        teacher_network, teacher_weights: What it learns from.
        temperature: Softens both outputs; the loss is scaled by its square.
        alpha: Share of the teacher in the loss; the rest is the task's own.
        epochs: None leaves them to the trainer.
    """

    teacher_network: str
    teacher_weights: Path
    temperature: float = Field(default=2.0, gt=0.0)
    alpha: float = Field(default=0.5, ge=0.0, le=1.0)
    epochs: int | None = Field(default=None, ge=1)


class Pruning(_RecipePart):
    """Variants that are ``pruned`` have fewer channels.

    Attributes:
        parameter_reduction: Channels are removed until this share of the parameters is gone.
        epochs: Of the fine-tuning after it; None leaves them to the trainer.
        weights: The trainer's file of a network that was pruned before; it is taken as it is.
    """

    parameter_reduction: float = Field(default=0.45, gt=0.0, lt=1.0)
    epochs: int | None = Field(default=None, ge=1)
    weights: Path | None = None


class TrainerSource(_RecipePart):
    """A trained network in its trainer's own form, for what cannot be done on ONNX.

    Attributes:
        command: The trainer, called as ``<command> work job.json``.
        network: The trainer's name for it.
        weights: The trainer's file.
        frame_count: Frames that distillation and pruning train on; None leaves it to the trainer.
        prune: How the network of ``pruned`` variants is made; hardware classes' own variants are then made both ways.
    """

    command: tuple[str, ...] = Field(default=("outpost-train",), min_length=1)
    network: str
    weights: Path
    frame_count: int | None = Field(default=None, ge=1)
    distill: Distillation | None = None
    prune: Pruning | None = None


class Recipe(_RecipePart):
    """One release of a model. Paths are relative to the recipe's folder until it is read by ``read_recipe``.

    Attributes:
        onnx: The plain FP32 model; or else ``trainer``.
        trainer: Who exports it, and distils and prunes it before.
        grafted: Whether the build takes camera pixels and gives candidates or probabilities.
        calibration: Frames like those of the site; needed for INT8.
        thresholds: None takes those with the best F1 score on labelled calibration frames, or the card's default.
        evaluation: Frames that accuracy and speed are measured on; without it, nothing is measured.
        gate: What the build may cost; without ``evaluation`` only its limits of size can be stated.
        compare_range_methods: Also measure INT8 with ranges chosen by each method, for the report.
        compare_plain_graph: Also measure the chosen variant without grafting, for the report.
        teacher: Model that this one learned from; the report compares both.
        seed: Of everything random.
    """

    model: Name
    version: str = Field(pattern=r"^(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)$")
    description: str = ""
    changelog: tuple[str, ...] = ()
    task: Task = "detection"
    onnx: Path | None = None
    trainer: TrainerSource | None = None
    labels: tuple[str, ...] = Field(min_length=1)
    input: NetworkInput = NetworkInput()
    output: NetworkOutput = NetworkOutput()
    thresholds: Thresholds | None = None
    nms: NmsSpec = NmsSpec()
    grafted: bool = True
    calibration: QuantizationSettings | None = None
    evaluation: EvaluationSettings | None = None
    gate: GateSettings = GateSettings()
    compare_range_methods: bool = False
    compare_plain_graph: bool = False
    teacher: Name | None = None
    targets: dict[Name, Target] = Field(min_length=1)
    serving: ServingSettings = ServingSettings()
    seed: int = 0

    @model_validator(mode="after")
    def _has_one_source(self) -> Self:
        if (self.onnx is None) == (self.trainer is None):
            raise ValueError("name either onnx or trainer as the source of the model")
        return self

    @model_validator(mode="after")
    def _can_prune(self) -> Self:
        if self.trainer is not None and self.trainer.prune is not None:
            return self
        for name, target in self.targets.items():
            pruned = [str(variant) for variant in target.variants if variant.pruned]
            if pruned:
                raise ValueError(f"targets.{name}: variant {pruned[0]} needs trainer.prune, which says how to prune")
        return self

    @model_validator(mode="after")
    def _gate_can_be_judged(self) -> Self:
        stated = self.gate.stated_to_measure
        if self.evaluation is None and stated:
            raise ValueError(
                f"gate: without frames to measure on nothing can be said of {', '.join(stated)}; add `evaluation:"
                " {frames: <folder>}`, or leave out what has to be measured"
            )
        return self

    @model_validator(mode="after")
    def _makes_a_card(self) -> Self:
        self.card_thresholds.check_labels(self.labels)
        return self

    @property
    def card_thresholds(self) -> Thresholds:
        """The thresholds given, or the card's default."""
        return self.thresholds or Thresholds()

    def target(self, hardware_class: str | None) -> str:
        """The hardware class to build for: the one asked for, or the only one.

        Raises:
            NoSuchTarget: The recipe does not have it, or has several and none was asked for.
        """
        if hardware_class is None and len(self.targets) == 1:
            return next(iter(self.targets))
        if hardware_class is None or hardware_class not in self.targets:
            raise NoSuchTarget(hardware_class, tuple(self.targets))
        return hardware_class

    def build_name(self, hardware_class: str) -> str:
        """``<model>-<version>_<class>``."""
        return f"{self.model}-{self.version}_{hardware_class}"
