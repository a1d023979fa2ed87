"""What a network answers: its task, its output, the layout of its predictions and how many classes it has."""

from collections.abc import Sequence
from dataclasses import dataclass

from model_compiler.graph.detector_output import Head
from model_compiler.graph.onnx_model import TensorFacts
from model_compiler.proposal.assumption import Assumption
from model_compiler.proposal.errors import NotProposable
from model_compiler.proposal.hints import Hints, Task
from model_compiler.proposal.model_facts import ModelFacts

_TASKS: dict[str, Task] = {"detect": "detection", "classify": "classification"}
_SIGNS: dict[Task, str] = {"detection": "three axes", "classification": "one value for each class"}
_EXTRA: dict[Head, int] = {"yolov8": 4, "yolov5": 5}
_STRIDES = (8, 16, 32)
_MOST_SELECTED = 1000
"""Exports with selected boxes have at most this many rows; a network has thousands of anchors."""


@dataclass(frozen=True, slots=True)
class NetworkKind:
    """What a network answers.

    Attributes:
        task: What it is for.
        output: Name of the tensor; None where it has only one.
        head: Layout of a detector's predictions.
        classes: How many.
        layout: How that number was read from the shape.
        assumptions: With their reasons.
    """

    task: Task
    output: str | None
    head: Head | None
    classes: int
    layout: str
    assumptions: tuple[Assumption, ...]


def find_kind(facts: ModelFacts, hints: Hints, size_wh: tuple[int, int]) -> NetworkKind:
    """Find out what a network answers.

    Args:
        facts: With the outputs' sizes for ``size_wh``.
        hints: What the user says.
        size_wh: Width and height of the input.

    Raises:
        NotProposable: It is of a kind that is not served, or there are several ways to read it.
    """
    _refuse_selected_boxes(facts)
    task, why_task = _task(facts, hints)
    output, why_output = _output(facts, hints, task)
    name = output.name if len(facts.outputs) > 1 else None
    if task == "classification":
        if output.name in facts.sigmoids:
            raise NotProposable(
                f"output {output} comes from a sigmoid, so several classes can be right at a time",
                "only classifiers of which exactly one class is right are served",
            )
        classes = output.shape[1] or 0
        return NetworkKind(task, name, None, classes, f"output {output}", (why_task, *why_output))
    head, why_head = _head(output, facts, hints, size_wh)
    channels, _ = _channels_and_anchors(output, head)
    layout = f"output {output} in the layout of {head} has {_EXTRA[head]} + C = {channels}"
    return NetworkKind(task, name, head, channels - _EXTRA[head], layout, (why_task, *why_output, why_head))


def _refuse_selected_boxes(facts: ModelFacts) -> None:
    remedy = "export without it (nms=False, end2end=False): thresholds and suppression are the gateway's"
    if facts.nms_node is not None:
        raise NotProposable(f"{facts.nms_node}: the export has non-maximum suppression inside", remedy)
    rows = [
        output
        for output in facts.outputs
        if len(output.shape) in {2, 3} and output.shape[-1] in {6, 7} and (output.shape[-2] or 0) <= _MOST_SELECTED
    ]
    if facts.notes.has_nms or (rows and facts.has_top and len(rows[0].shape) == 3):
        shown = f" ({rows[0]})" if rows else ""
        raise NotProposable(f"the export selects boxes inside{shown}", remedy)


def _task(facts: ModelFacts, hints: Hints) -> tuple[Task, Assumption]:
    noted = facts.notes.task
    if hints.task is not None:
        return hints.task, Assumption("task", hints.task, "as given")
    if noted is not None and noted not in _TASKS:
        raise NotProposable(f"the exporter noted the task {noted!r}", "detection and classification are served")
    if noted is not None:
        return _TASKS[noted], Assumption("task", _TASKS[noted], f"the exporter noted {noted!r}", "--task")
    for task, sign in _SIGNS.items():
        fitting = _fitting(facts.outputs, task)
        if fitting:
            return task, Assumption("task", task, f"output {fitting[0]} has {sign}", "--task")
    raise _unknown_outputs(facts.outputs, "a detector gives [N,4+C,A] or [N,A,5+C], a classifier [N,C]")


def _fitting(outputs: Sequence[TensorFacts], task: Task) -> list[TensorFacts]:
    return [output for output in outputs if output.datatype == "FP32" and _has_shape_of(output.shape, task)]


def _has_shape_of(shape: tuple[int | None, ...], task: Task) -> bool:
    if task == "detection":
        return len(shape) == 3 and min(size or 0 for size in shape[1:]) >= 5
    return (len(shape) == 2 or (len(shape) == 4 and shape[2:] == (1, 1))) and (shape[1] or 0) >= 2


def _unknown_outputs(outputs: Sequence[TensorFacts], expected: str) -> NotProposable:
    shown = "; ".join(map(str, outputs))
    if len(outputs) > 1 and all(len(output.shape) in {4, 5} for output in outputs):
        return NotProposable(
            f"outputs: {shown}: one raw map for each scale", "export with the decoding of the boxes inside the graph"
        )
    shaped = [output for output in outputs if any(_has_shape_of(output.shape, task) for task in _SIGNS)]
    if shaped and shaped[0].datatype != "FP32":
        return NotProposable(f"outputs: {shown}", "export them in single precision, FP32")
    return NotProposable(f"outputs: {shown}", expected)


def _output(facts: ModelFacts, hints: Hints, task: Task) -> tuple[TensorFacts, tuple[Assumption, ...]]:
    shape = "FP32 [N,4+C,A] or [N,A,5+C]" if task == "detection" else "FP32 [N,C] or [N,C,1,1]"
    if hints.output is not None:
        named = [output for output in facts.outputs if output.name == hints.output]
        if not named:
            raise NotProposable(
                f"there is no output {hints.output!r}", f"choose one of {'; '.join(map(str, facts.outputs))}"
            )
        if not _fitting(named, task):
            raise NotProposable(f"output {named[0]} is not for {task}", f"expected {shape}")
        return named[0], (Assumption("output", named[0].name, "as given"),)
    fitting = _fitting(facts.outputs, task)
    if not fitting:
        raise _unknown_outputs(facts.outputs, f"for {task}, expected {shape}")
    if len(fitting) > 1:
        shown = "; ".join(map(str, fitting))
        raise NotProposable(f"several outputs could be the one: {shown}", "choose with --output-name")
    if len(facts.outputs) == 1:
        return fitting[0], ()
    reason = f"the only one of {len(facts.outputs)} outputs with a shape for {task}"
    return fitting[0], (Assumption("output", fitting[0].name, reason, "--output-name"),)


def _head(output: TensorFacts, facts: ModelFacts, hints: Hints, size_wh: tuple[int, int]) -> tuple[Head, Assumption]:
    if hints.head is not None:
        return hints.head, Assumption("head", hints.head, "as given")
    rows, columns = output.shape[1] or 0, output.shape[2] or 0
    labels = hints.labels.names if hints.labels is not None else facts.notes.names
    suits: list[Head] = [
        head for head in _EXTRA if _channels_and_anchors(output, head)[0] - _EXTRA[head] == len(labels)
    ]
    cells = sum((size_wh[0] // stride) * (size_wh[1] // stride) for stride in _STRIDES)
    found: Head
    if len(suits) == 1:
        found, reason = suits[0], f"{_EXTRA[suits[0]]} + {len(labels)} labels fit output {output}"
    elif columns == cells:
        found, reason = "yolov8", f"output {output} has one anchor for each of {cells} cells"
    elif rows == 3 * cells:
        found, reason = "yolov5", f"output {output} has three anchors for each of {cells} cells"
    else:
        found = "yolov8" if rows < columns else "yolov5"
        reason = f"output {output}: the longer axis is taken for the anchors"
    return found, Assumption("head", found, reason, "--head")


def _channels_and_anchors(output: TensorFacts, head: Head) -> tuple[int, int]:
    rows, columns = output.shape[1] or 0, output.shape[2] or 0
    return (rows, columns) if head == "yolov8" else (columns, rows)
