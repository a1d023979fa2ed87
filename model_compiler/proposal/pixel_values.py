"""How frames become the numbers that a network was trained on."""

from dataclasses import dataclass
from typing import Literal

from model_compiler.proposal.assumption import Assumption
from model_compiler.proposal.hints import Hints, Task, Triple
from model_compiler.proposal.model_facts import ModelFacts
from vision.letterbox import FitMode

IMAGENET_MEAN: Triple = (0.485, 0.456, 0.406)
IMAGENET_STD: Triple = (0.229, 0.224, 0.225)
"""Of pixels between 0 and 1, in RGB; what torchvision and timm use (torchvision.transforms documentation)."""
_ZEROS: Triple = (0.0, 0.0, 0.0)
_ONES: Triple = (1.0, 1.0, 1.0)


@dataclass(frozen=True, slots=True)
class PixelValues:
    """``(pixel * scale - mean) / std`` in a colour order, of frames that were placed into the input."""

    fit: FitMode
    color: Literal["rgb", "bgr"]
    scale: float
    mean: Triple
    std: Triple
    assumptions: tuple[Assumption, ...]


def choose_pixel_values(facts: ModelFacts, hints: Hints, task: Task) -> PixelValues:
    """What is usual for the kind of network, changed by what the user says."""
    fit, why_fit = _fit(facts, hints, task)
    scale, why_scale = _scale(facts, hints)
    mean, std, why_mean = _mean_and_std(facts, hints, task)
    color = hints.color or "rgb"
    why_color = Assumption("colour", color, "as given") if hints.color else _usual_color()
    return PixelValues(fit, color, scale, mean, std, (why_fit, why_color, why_scale, why_mean))


def _usual_color() -> Assumption:
    return Assumption("colour", "rgb", "usual; networks trained on what OpenCV reads want bgr", "--color")


def _fit(facts: ModelFacts, hints: Hints, task: Task) -> tuple[FitMode, Assumption]:
    if hints.fit is not None:
        return hints.fit, Assumption("fit", hints.fit, "as given")
    if task == "detection":
        reason = "frames keep their aspect ratio and are padded with grey 114, as Ultralytics does"
        return "letterbox", Assumption("fit", "letterbox", reason, "--fit")
    who = "Ultralytics does" if facts.notes.is_ultralytics else "classifiers are evaluated"
    reason = f"the shorter side fills the input and the middle is cut out, as {who}; what lies outside is not seen"
    return "crop", Assumption("fit", "crop", reason, "--fit")


def _scale(facts: ModelFacts, hints: Hints) -> tuple[float, Assumption]:
    if hints.scale is not None:
        return hints.scale, Assumption("scale", f"{hints.scale:g}", "as given")
    if facts.own_normalisation.scales:
        return 1.0, Assumption("scale", "1", "the graph itself scales pixels of 0 to 255", "--scale")
    return 1.0 / 255.0, Assumption("scale", "1/255", "pixels between 0 and 1 are usual", "--scale")


def _mean_and_std(facts: ModelFacts, hints: Hints, task: Task) -> tuple[Triple, Triple, Assumption]:
    flags = "--mean --std"
    if hints.mean is not None or hints.std is not None:
        mean, std = hints.mean or _ZEROS, hints.std or _ONES
        return mean, std, Assumption("mean, std", f"{_text(mean)}, {_text(std)}", "as given")
    plain = "0, 1"
    if facts.own_normalisation.centres:
        return _ZEROS, _ONES, Assumption("mean, std", plain, "the graph itself subtracts a mean", flags)
    if task == "detection":
        return _ZEROS, _ONES, Assumption("mean, std", plain, "YOLO networks take pixels as they are", flags)
    if facts.notes.is_ultralytics:
        return _ZEROS, _ONES, Assumption("mean, std", plain, "Ultralytics classifiers take pixels as they are", flags)
    value = f"{_text(IMAGENET_MEAN)}, {_text(IMAGENET_STD)}"
    reason = "those of ImageNet, which torchvision and timm use"
    return IMAGENET_MEAN, IMAGENET_STD, Assumption("mean, std", value, reason, flags)


def _text(values: Triple) -> str:
    return " ".join(f"{value:g}" for value in values)
