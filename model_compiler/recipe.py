"""A recipe: one YAML file that says how a release is built for each hardware class."""

import difflib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from contracts.model_card import NmsSpec, Thresholds
from model_compiler.errors import InputFileMissing, InvalidRecipe, NoSuchTarget
from model_compiler.graph.detector_output import Head

Name = Annotated[str, Field(pattern=r"^[a-z0-9-]+$")]
StageName = Literal["graft", "package"]
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
    mode: Literal["letterbox", "stretch"] = "letterbox"
    pad_value: int = Field(default=114, ge=0, le=255)
    scale: float = Field(default=1.0 / 255.0, gt=0.0)
    mean: Triple = (0.0, 0.0, 0.0)
    std: Triple = (1.0, 1.0, 1.0)


class NetworkOutput(_RecipePart):
    """The layout of the predictions; ``name`` is needed where the model has several outputs."""

    decoder: Head = "yolov8"
    name: str | None = None


class Target(_RecipePart):
    """How one hardware class runs the model. ``auto`` precision is chosen by the machine that loads the build."""

    backend: Literal["onnxruntime", "openvino"]
    precision: Literal["auto", "f32", "bf16"] = "auto"


class Serving(_RecipePart):
    """Batching and queueing in Triton.

    Attributes:
        max_batch_size: Used where the model's batch axis is open.
        warmup_batch_sizes: Batch sizes run once before the model is ready; None means 1 and ``max_batch_size``.
        queue_size: Requests that may wait in Triton.
        queue_timeout_seconds: Longest wait in Triton; a request's own timeout can only shorten it.
    """

    max_batch_size: int = Field(default=4, ge=1, le=128)
    warmup_batch_sizes: tuple[Annotated[int, Field(ge=1)], ...] | None = None
    queue_size: int = Field(default=64, ge=1)
    queue_timeout_seconds: float = Field(default=10.0, gt=0.0)

    @model_validator(mode="after")
    def _warmup_fits(self) -> Self:
        if any(size > self.max_batch_size for size in self.warmup_batch_sizes or ()):
            raise ValueError(f"warmup_batch_sizes must not exceed max_batch_size {self.max_batch_size}")
        return self


class Recipe(_RecipePart):
    """One release of a model. Paths are relative to the recipe's folder until it is read by ``read_recipe``."""

    model: Name
    version: str = Field(pattern=r"^(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)$")
    description: str = ""
    onnx: Path
    metrics: Path | None = None
    labels: tuple[str, ...] = Field(min_length=1)
    input: NetworkInput = NetworkInput()
    output: NetworkOutput = NetworkOutput()
    thresholds: Thresholds = Thresholds()
    nms: NmsSpec = NmsSpec()
    targets: dict[Name, Target] = Field(min_length=1)
    serving: Serving = Serving()
    stages: tuple[StageName, ...] = ("graft", "package")

    @model_validator(mode="after")
    def _makes_a_card(self) -> Self:
        unknown = sorted(set(self.thresholds.by_label) - set(self.labels))
        if unknown:
            raise ValueError(f"thresholds.by_label names {unknown}, which are not among the labels {list(self.labels)}")
        if len(set(self.labels)) != len(self.labels):
            raise ValueError(f"labels must differ, got {list(self.labels)}")
        if not self.stages or self.stages[-1] != "package":
            raise ValueError("stages must end with 'package'")
        return self

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


def read_recipe(path: Path) -> Recipe:
    """Read a recipe; its paths become relative to the working directory.

    Raises:
        InputFileMissing: There is no such file.
        InvalidRecipe: It is not YAML, or a key or value is wrong.
    """
    if not path.is_file():
        raise InputFileMissing(path, "recipe")
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise InvalidRecipe(path, [f"not valid YAML: {' '.join(str(error).split())}"]) from error
    if not isinstance(content, Mapping):
        raise InvalidRecipe(path, ["it must be a mapping of keys to values"])
    try:
        recipe = Recipe.model_validate(content)
    except ValidationError as error:
        raise InvalidRecipe(path, [_problem(item) for item in error.errors()]) from error
    beside = path.parent
    metrics = None if recipe.metrics is None else beside / recipe.metrics
    return recipe.model_copy(update={"onnx": beside / recipe.onnx, "metrics": metrics})


def _problem(item: Mapping[str, Any]) -> str:
    place = ".".join(str(part) for part in item["loc"]) or "recipe"
    if item["type"] != "extra_forbidden":
        return f"{place}: {item['msg'].removeprefix('Value error, ')}"
    key = str(item["loc"][-1])
    near = difflib.get_close_matches(key, sorted(_known_keys()), n=1)
    return f"{place}: there is no such key" + (f"; did you mean {near[0]!r}?" if near else "")


def _known_keys() -> set[str]:
    parts = (Recipe, NetworkInput, NetworkOutput, Target, Serving, Thresholds, NmsSpec)
    return {key for part in parts for key in part.model_fields}
