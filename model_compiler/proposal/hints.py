"""What the user says about a model."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from model_compiler.graph.detector_output import Head
from vision.letterbox import FitMode

Task = Literal["detection", "classification"]
Triple = tuple[float, float, float]


@dataclass(frozen=True, slots=True)
class GivenLabels:
    """Labels, and what they were read from."""

    source: str
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Hints:
    """Whatever is None is proposed.

    Attributes:
        name, version: Of the release.
        size_wh: Width and height of the input, in pixels.
        fit: How a frame gets into the input.
        scale, mean, std: Of ``(pixel * scale - mean) / std``.
        calibration: Folder of frames like those of the site.
        calibration_count: How many frames are in it.
        evaluation: Folder of frames to measure on.
    """

    name: str
    version: str = "1.0.0"
    labels: GivenLabels | None = None
    task: Task | None = None
    head: Head | None = None
    output: str | None = None
    size_wh: tuple[int, int] | None = None
    fit: FitMode | None = None
    color: Literal["rgb", "bgr"] | None = None
    scale: float | None = None
    mean: Triple | None = None
    std: Triple | None = None
    grafted: bool = True
    calibration: Path | None = None
    calibration_count: int = 0
    evaluation: Path | None = None
