"""Candidates to detections: per-class thresholds, then non-maximum suppression."""

import numpy as np
from numpy.typing import NDArray

from vision.errors import InvalidModelOutput

Rows = NDArray[np.float32]

_BLOCK = 64


def select_detections(
    candidates: Rows,
    *,
    thresholds: NDArray[np.float32],
    iou_threshold: float,
    class_agnostic: bool,
    max_detections: int,
) -> Rows:
    """Keep the best candidates that are sure enough and do not repeat a better one.

    A candidate is sure enough when its score is at least the threshold of its class. Greedy suppression from the best
    score down: a candidate goes when its IoU with one already kept is greater than ``iou_threshold``; equal scores keep
    the order of the input. Boxes without area overlap nothing.

    Args:
        candidates: (K, 6) rows of x1, y1, x2, y2, score, class index.
        thresholds: (C,), the least score of each class.
        iou_threshold: 0 to 1.
        class_agnostic: let candidates suppress those of other classes too.
        max_detections: keep at most this many, the best.

    Returns:
        (M, 6) rows, best score first, a new array.

    Raises:
        InvalidModelOutput: a value that is not finite, or a class index that ``thresholds`` does not have.
        ValueError: the wrong number of columns.
    """
    if candidates.ndim != 2 or candidates.shape[1] != 6:
        raise ValueError(f"candidates must be (K, 6), got {candidates.shape}")
    _check_finite(candidates)
    thresholds = thresholds.astype(np.float32, copy=False)
    likely: Rows = candidates[candidates[:, 4] >= thresholds.min()]
    if not len(likely):
        return likely
    classes = _classes_of(likely, len(thresholds))
    sure = likely[:, 4] >= thresholds[classes]
    rows: Rows = likely[sure]
    classes = classes[sure]
    order = np.argsort(-rows[:, 4], kind="stable")
    rows, classes = rows[order], classes[order]
    if len(rows) < 2:
        return rows[:max_detections]
    groups = np.zeros(len(rows), np.int32) if class_agnostic else classes.astype(np.int32)
    with np.errstate(over="ignore", invalid="ignore"):
        kept: Rows = rows[_suppress(rows[:, :4], groups, iou_threshold, max_detections)]
    return kept


def _check_finite(candidates: Rows) -> None:
    finite = np.isfinite(candidates)
    if not finite.all():
        row, column = np.argwhere(~finite)[0]
        raise InvalidModelOutput(f"candidate {row} has {candidates[row, column]} in column {column}")


def _classes_of(rows: Rows, class_count: int) -> NDArray[np.intp]:
    classes = rows[:, 5]
    if classes.min() < 0 or classes.max() >= class_count:
        bad = classes[(classes < 0) | (classes >= class_count)][0]
        raise InvalidModelOutput(f"class index {bad:g} with {class_count} classes in the card")
    return classes.astype(np.intp)


def _suppress(boxes: Rows, groups: NDArray[np.int32], iou_threshold: float, max_detections: int) -> list[int]:
    """Indices of the boxes that stay, of boxes that are sorted best first.

    Block by block: a block is compared with everything behind it at once, and what it suppresses is never looked at.
    """
    kept: list[int] = []
    left = np.arange(len(boxes))
    while len(left) and len(kept) < max_detections:
        here, count = groups[left], min(_BLOCK, len(left))
        repeats = _repeats(boxes[left], count, iou_threshold)
        repeats &= here[:count, None] == here
        stay = _greedy(repeats[:, :count])
        kept += left[stay].tolist()
        if count == len(left):
            break
        left = left[count:][~repeats[stay, count:].any(axis=0)]
    return kept[:max_detections]


def _repeats(boxes: Rows, count: int, iou_threshold: float) -> NDArray[np.bool_]:
    """(count, M), whether the IoU of one of the first boxes with any box is greater than the threshold."""
    x1, y1, x2, y2 = np.ascontiguousarray(boxes.T)
    column = slice(count), None
    width = np.minimum(x2[column], x2)
    width -= np.maximum(x1[column], x1)
    repeats: NDArray[np.bool_] = width > 0
    height = np.minimum(y2[column], y2)
    height -= np.maximum(y1[column], y1)
    # A negative height makes a negative overlap, which is as little as none.
    overlap = np.multiply(width, height, out=width)
    area = np.maximum(x2 - x1, 0) * np.maximum(y2 - y1, 0)
    union = np.add(area[column], area, out=height)
    union -= overlap
    union *= np.float32(iou_threshold)
    repeats &= overlap > union
    return repeats


def _greedy(repeats: NDArray[np.bool_]) -> list[int]:
    """Which of a block of boxes stay; each row of the square matrix becomes one integer with a bit per box."""
    packed = np.packbits(repeats, axis=1, bitorder="little")
    width, bits = packed.shape[1], packed.tobytes()
    gone, stay = 0, list[int]()
    for index in range(len(repeats)):
        if not gone >> index & 1:
            stay.append(index)
            gone |= int.from_bytes(bits[index * width : (index + 1) * width], "little")
    return stay
