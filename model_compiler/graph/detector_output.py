"""Finds the output of a detector and checks that it has the shape that its head promises."""

from dataclasses import dataclass
from typing import Literal

import onnx

from model_compiler.errors import UnexpectedTensor
from model_compiler.graph.onnx_model import TensorFacts
from model_compiler.graph.output_shape import output_called, with_known_sizes

Head = Literal["yolov8", "yolov5"]

_LAYOUTS: dict[Head, str] = {"yolov8": "[N,4+C,A]", "yolov5": "[N,A,5+C]"}
_EXTRA: dict[Head, int] = {"yolov8": 4, "yolov5": 5}


@dataclass(frozen=True, slots=True)
class DetectorOutput:
    """The output tensor of a detector: its head's layout, classes C and anchors A."""

    name: str
    head: Head
    classes: int
    anchors: int


def find_detector_output(
    model: onnx.ModelProto, head: Head, *, classes: int | None = None, name: str | None = None
) -> DetectorOutput:
    """Check a model's output against a head.

    Args:
        model: A detector with one picture input of fixed height and width.
        head: ``yolov8``: [N,4+C,A]; ``yolov5``: [N,A,5+C].
        classes: C, or None to take it from the shape.
        name: The output to take; needed where there are several.

    Raises:
        UnexpectedTensor: There is no such output, or its shape or type is another.
    """
    facts = output_called(model, name)
    facts = with_known_sizes(model, facts) if len(facts.shape) == 3 else facts
    expected = f"an FP32 tensor {_LAYOUTS[head]}" + (f" with C = {classes} labels" if classes is not None else "")
    expected += f" ({head})"
    channels, anchors = _channels_and_anchors(facts, head)
    found = channels - _EXTRA[head]
    if len(facts.shape) != 3 or facts.datatype != "FP32" or found < 1 or classes not in {None, found}:
        hint = _other_head(facts, head, classes)
        raise UnexpectedTensor("output", expected, f"{facts}{hint}")
    return DetectorOutput(facts.name, head, found, anchors)


def _channels_and_anchors(facts: TensorFacts, head: Head) -> tuple[int, int]:
    if len(facts.shape) != 3:
        return 0, 0
    first, second = facts.shape[1] or 0, facts.shape[2] or 0
    return (first, second) if head == "yolov8" else (second, first)


def _other_head(facts: TensorFacts, head: Head, classes: int | None) -> str:
    other: Head = "yolov5" if head == "yolov8" else "yolov8"
    channels, anchors = _channels_and_anchors(facts, other)
    fits = classes is not None and channels - _EXTRA[other] == classes and anchors > 0
    return f", which is what {other} looks like" if fits else ""
