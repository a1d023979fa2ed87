"""Raw outputs of heads to candidates or probabilities: on the host for plain builds, and the reference of graphs."""

import numpy as np
from numpy.typing import NDArray

from vision.errors import InvalidModelOutput

Rows = NDArray[np.float32]


def decode_yolov8(predictions: Rows, top: int = 300) -> Rows:
    """Candidates from an anchor-free head in the Ultralytics v8 layout.

    Each anchor gives one candidate, of its best class (the first of equals). No threshold is applied.

    Args:
        predictions: (4 + C, A): centre x and y, width, height in input pixels; then C class scores after the sigmoid.
        top: how many candidates to keep, at least 1.

    Returns:
        (min(top, A), 6) rows of x1, y1, x2, y2, score, class index; best score first, the first anchor of equals first.

    Raises:
        InvalidModelOutput: a class score is not a number.
        ValueError: fewer than five rows.
    """
    if predictions.ndim != 2 or predictions.shape[0] < 5:
        raise ValueError(f"predictions must be (4 + C, A), got {predictions.shape}")
    return _best_candidates(predictions[:4], predictions[4:], top)


def decode_yolov5(predictions: Rows, top: int = 300) -> Rows:
    """Candidates from an anchor-based head in the YOLOv5 layout: a score is objectness times class probability.

    Args:
        predictions: (A, 5 + C): centre x and y, width, height in input pixels; objectness; C class probabilities.
        top: how many candidates to keep, at least 1.

    Returns:
        As `decode_yolov8`.

    Raises:
        InvalidModelOutput: a class score is not a number.
        ValueError: fewer than six columns.
    """
    if predictions.ndim != 2 or predictions.shape[1] < 6:
        raise ValueError(f"predictions must be (A, 5 + C), got {predictions.shape}")
    columns = predictions.T
    return _best_candidates(columns[:4], columns[5:] * columns[4], top)


def candidates_of(output: Rows, layout: str) -> Rows:
    """The candidates in an output.

    Args:
        output: As the layout has it.
        layout: ``yolov8``, ``yolov5``, or ``candidates``, which it is already.

    Returns:
        (K, 6), see `decode_yolov8`.

    Raises:
        InvalidModelOutput, ValueError: See `decode_yolov8`.
    """
    if layout == "yolov8":
        return decode_yolov8(output)
    if layout == "yolov5":
        return decode_yolov5(output)
    return output


def softmax(logits: Rows) -> Rows:
    """Probabilities from the logits of a classifier.

    Args:
        logits: (..., C), one value for each label.

    Returns:
        (..., C), each row sums to 1.

    Raises:
        InvalidModelOutput: a logit is not a finite number.
    """
    if not np.isfinite(logits).all():
        raise InvalidModelOutput("a logit is not a finite number")
    # the largest logit is taken off first: the quotient stays the same, and the exponential cannot overflow
    powers: Rows = np.exp(logits - logits.max(axis=-1, keepdims=True))
    probabilities: Rows = powers / powers.sum(axis=-1, keepdims=True)
    return probabilities


def best_classes(probabilities: Rows, top: int) -> NDArray[np.int32]:
    """Indices of the most probable classes, best first; of equals the lower index first.

    Args:
        probabilities: (C,).
        top: how many to name, at least 1.

    Returns:
        (min(top, C),).
    """
    return np.argsort(-probabilities, kind="stable")[:top].astype(np.int32)


def _best_candidates(boxes_cxcywh: Rows, scores: Rows, top: int) -> Rows:
    best = scores.max(axis=0)
    if np.isnan(best).any():
        raise InvalidModelOutput(f"the class scores of anchor {int(np.isnan(best).argmax())} are not numbers")
    anchors = _top_indices(best, top)
    center_x, center_y, width, height = boxes_cxcywh[:, anchors]
    rows = np.empty((len(anchors), 6), np.float32)
    rows[:, 0] = center_x - width / 2
    rows[:, 1] = center_y - height / 2
    rows[:, 2] = center_x + width / 2
    rows[:, 3] = center_y + height / 2
    rows[:, 4] = best[anchors]
    rows[:, 5] = scores[:, anchors].argmax(axis=0)
    return rows


def _top_indices(scores: Rows, top: int) -> NDArray[np.intp]:
    """Indices of the largest scores, largest first; of equal scores the lower index, as ONNX TopK has it."""
    indices = np.arange(len(scores))
    if len(scores) > top:
        least = np.partition(scores, len(scores) - top)[len(scores) - top]
        indices = np.flatnonzero(scores >= least)
    return indices[np.argsort(-scores[indices], kind="stable")][:top]
