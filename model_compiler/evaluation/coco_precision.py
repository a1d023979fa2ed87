"""Average precision by the COCO evaluation library."""

from collections.abc import Sequence

import numpy as np
from faster_coco_eval import COCO, COCOeval_faster
from numpy.typing import NDArray

Rows = NDArray[np.float32]
_LEVELS = 10


def coco_precision(
    detections: Sequence[Rows],
    truths_xyxy: Sequence[Rows],
    truth_classes: Sequence[NDArray[np.int64]],
    labels: Sequence[str],
) -> NDArray[np.float64]:
    """Average precision at IoU 0.5 to 0.95, over all sizes and at most 100 detections a frame.

    Args:
        detections: For each frame (K, 6) rows of x1, y1, x2, y2, score, class.
        truths_xyxy: For each frame (M, 4).
        truth_classes: For each frame (M,).
        labels: C names.

    Returns:
        (C, 10); NaN for a class without true boxes.
    """
    truth = COCO(_document(truths_xyxy, truth_classes, labels))
    results = [
        {"image_id": number, "category_id": int(row[5]) + 1, "bbox": _xywh(row), "score": float(row[4])}
        for number, rows in enumerate(detections, start=1)
        for row in rows
    ]
    if not results:
        present = set(np.concatenate([np.asarray(classes) for classes in truth_classes]).tolist())
        return np.array([[0.0 if index in present else np.nan] * _LEVELS for index in range(len(labels))])
    evaluation = COCOeval_faster(truth, truth.loadRes(results), "bbox", print_function=lambda *_: None)
    evaluation.evaluate()
    evaluation.accumulate()
    # precision: IoU thresholds, recall points, classes, areas (0: all), detection limits (last: 100)
    precision = np.asarray(evaluation.eval["precision"])[:, :, :, 0, -1]
    averaged = np.where(precision > -1, precision, np.nan).mean(axis=1)
    return np.asarray(averaged.T, dtype=np.float64)


def _document(
    truths_xyxy: Sequence[Rows], truth_classes: Sequence[NDArray[np.int64]], labels: Sequence[str]
) -> dict[str, list[dict[str, object]]]:
    annotations: list[dict[str, object]] = []
    for number, (boxes, classes) in enumerate(zip(truths_xyxy, truth_classes, strict=True), start=1):
        for box, index in zip(boxes, classes, strict=True):
            place = _xywh(box)
            facts = {"id": len(annotations) + 1, "image_id": number, "category_id": int(index) + 1, "iscrowd": 0}
            annotations.append({**facts, "bbox": place, "area": place[2] * place[3]})
    return {
        "images": [{"id": number} for number in range(1, len(truths_xyxy) + 1)],
        "annotations": annotations,
        "categories": [{"id": index, "name": label} for index, label in enumerate(labels, start=1)],
    }


def _xywh(box: Rows) -> list[float]:
    left, top, right, bottom = (float(edge) for edge in box[:4])
    return [left, top, right - left, bottom - top]
