"""The end of a grafted detector: raw predictions in, the best candidates out."""

from dataclasses import dataclass

import numpy as np
import onnx
from onnx import TensorProto

from model_compiler.graph.detector_output import DetectorOutput
from model_compiler.graph.graph_editor import GraphEditor

TOP = 300
"""Candidates per picture."""
COLUMNS = 6
"""x1, y1, x2, y2, score, class."""


@dataclass(frozen=True, slots=True)
class _Chosen:
    """Tensors of the chosen anchors.

    ``boxes`` [N,4,K] as centre and size; ``class_values`` [N,C,K], in whose order the scores are; ``scores`` [N,1,K];
    ``probe`` [N,1,1], not finite if any score of the picture is not.
    """

    boxes: str
    class_values: str
    scores: str
    probe: str


def add_candidate_tail(editor: GraphEditor, output: DetectorOutput, *, candidates: str) -> None:
    """Append the choice of the best 300 anchors to a graph.

    Each anchor stands for its best class. The maximum over the classes is taken of all anchors, everything else only of
    the chosen ones. There is no threshold; with fewer than 300 anchors the rest is zero.

    A score that is not a finite number must not vanish in a maximum or a sort, whose order of NaN no runtime promises:
    the sum of all scores (or of what a final sigmoid makes scores of) minus itself is 0, or NaN as soon as one of them
    is not finite, and is added to the scores of the picture's candidates. So either all chosen anchors of a picture
    have the score NaN or none has, and a reader may look at the first alone. Boxes of chosen anchors pass as they are.

    Args:
        editor: The graph, changed in place.
        output: Its output.
        candidates: Name of the new output, FP32 [N,300,6]: x1, y1, x2, y2 in input pixels, score, class; best first.
    """
    top = min(TOP, output.anchors)
    choose = _choose_yolov8 if output.head == "yolov8" else _choose_yolov5
    chosen = choose(editor, output, top)
    centres, sizes = editor.append_split(chosen.boxes, (2, 2), axis=1)
    halves = editor.append("Mul", sizes, editor.constant(np.array(0.5, np.float32)))
    corners = (editor.append("Sub", centres, halves), editor.append("Add", centres, halves))
    best_class = editor.append("ArgMax", chosen.class_values, axis=1, keepdims=1)
    marked = editor.append("Add", chosen.scores, editor.append("Sub", chosen.probe, chosen.probe))
    columns = (*corners, marked, editor.append("Cast", best_class, to=TensorProto.FLOAT))
    joined = editor.append("Concat", *columns, axis=1)
    if top < TOP:
        joined = editor.append("Pad", joined, editor.integers(0, 0, 0, 0, 0, TOP - top))
    editor.append("Transpose", joined, perm=[0, 2, 1], output=candidates)


def _choose_yolov8(editor: GraphEditor, output: DetectorOutput, top: int) -> _Chosen:
    boxes, values, activation = _parts(editor, output)
    probe = editor.append("ReduceSum", values, editor.integers(1, 2), keepdims=1)
    scores, anchors = _top_anchors(editor, editor.append_max(values, 1), output.anchors, top)
    chosen = [
        editor.append("GatherElements", part, editor.append("Expand", anchors, editor.integers(1, rows, 1)), axis=2)
        for part, rows in ((boxes, 4), (values, output.classes))
    ]
    return _Chosen(chosen[0], chosen[1], editor.append(activation, scores) if activation else scores, probe)


def _parts(editor: GraphEditor, output: DetectorOutput) -> tuple[str, str, str | None]:
    """Boxes [N,4,A], class values [N,C,A], and the activation that the chosen values still need.

    Where the graph ends by joining boxes and scores, they are taken from before that; a sigmoid keeps their order, so
    that it need only be computed of the chosen ones.
    """
    join = editor.producer(output.name)
    parts = list(join.input) if join is not None and _joins_channels(join) else []
    sizes = [editor.size(part, 1) for part in parts]
    makers = [editor.producer(part) for part in parts]
    # OpenVINO 2026 refuses a GatherElements of a Slice that starts at 0
    if sizes != [4, output.classes] or any(maker is None or maker.op_type == "Slice" for maker in makers):
        boxes, scores = editor.append_split(output.name, (4, output.classes), axis=1)
        return boxes, scores, None
    if makers[1] is not None and makers[1].op_type == "Sigmoid":
        return parts[0], makers[1].input[0], "Sigmoid"
    return parts[0], parts[1], None


def _joins_channels(node: onnx.NodeProto) -> bool:
    return node.op_type == "Concat" and any(entry.name == "axis" and entry.i in {1, -2} for entry in node.attribute)


def _choose_yolov5(editor: GraphEditor, output: DetectorOutput, top: int) -> _Chosen:
    """A score is objectness times class score."""
    predictions, last = output.name, 5 + output.classes
    _, objectness, values = editor.append_split(predictions, (4, 1, output.classes), axis=2)
    sums = [editor.append("ReduceSum", part, editor.integers(1, 2), keepdims=1) for part in (objectness, values)]
    best = editor.append("Mul", editor.append("Squeeze", objectness, editor.integers(2)), editor.append_max(values, 2))
    scores, anchors = _top_anchors(editor, best, output.anchors, top)
    column = editor.append("Transpose", anchors, perm=[0, 2, 1])
    index = editor.append("Expand", column, editor.integers(1, 1, last))
    chosen = editor.append("Transpose", editor.append("GatherElements", predictions, index, axis=1), perm=[0, 2, 1])
    boxes, _, class_values = editor.append_split(chosen, (4, 1, output.classes), axis=1)
    return _Chosen(boxes, class_values, scores, editor.append("Add", *sums))


def _top_anchors(editor: GraphEditor, best: str, anchors: int, top: int) -> tuple[str, str]:
    """Best scores and anchors, both [N,1,K]. Indices are held in range, whatever a sort does with NaN."""
    scores, indices = editor.append_top(best, top)
    limits = (editor.constant(np.array(0, np.int64)), editor.constant(np.array(anchors - 1, np.int64)))
    safe, axis = editor.append("Clip", indices, *limits), editor.integers(1)
    return editor.append("Unsqueeze", scores, axis), editor.append("Unsqueeze", safe, axis)
