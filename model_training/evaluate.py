"""Accuracy of an exported detector on a rendered split: COCO's numbers with bootstrap intervals."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from faster_coco_eval import COCO, COCOeval_faster
from numpy.typing import NDArray
from rich.progress import track

from model_training.coco_labels import coco_document
from model_training.frame_cache import FrameCache
from model_training.frame_distribution import DEFECT_CLASSES, FRAME_HEIGHT, FRAME_WIDTH
from model_training.predict import OnnxDetector
from vision.bootstrap import MapIntervals, bootstrap_map
from vision.letterbox import Placement, to_frame
from vision.matching import match_class
from vision.thresholds import best_f1_threshold

BATCH = 8
Rows = NDArray[np.float32]


@dataclass(frozen=True)
class Accuracy:
    """Accuracy on a split.

    Attributes:
        map50, map50_95: of the COCO evaluation library.
        intervals: the same by our own matching, with 95 % bootstrap intervals over frames.
        map50_hard: on the frames that were planned hard.
        ap50_by_class: COCO's average precision at IoU 0.5 for each class name.
        frames: number of frames.
    """

    map50: float
    map50_95: float
    intervals: MapIntervals
    map50_hard: float
    ap50_by_class: dict[str, float]
    frames: int

    def report(self) -> dict[str, Any]:
        """As plain JSON values."""
        return asdict(self)


def evaluate_model(model: Path, cache: FrameCache, *, resamples: int = 300, seed: int = 0) -> Accuracy:
    """Run an exported model over all frames of a cache and measure it in frame pixels."""
    detections = _detect_all(OnnxDetector(model), cache)
    truths, classes = _truth(cache)
    return measure_accuracy(detections, truths, classes, cache.hard, resamples=resamples, seed=seed)


def suggest_thresholds(model: Path, cache: FrameCache) -> dict[str, float]:
    """Thresholds for serving, by class name, from frames that the accuracy is not measured on."""
    detections = _detect_all(OnnxDetector(model), cache)
    truths, classes = _truth(cache)
    return {
        name: best_f1_threshold(match_class(detections, truths, classes, index))
        for index, name in enumerate(DEFECT_CLASSES)
    }


def measure_accuracy(
    detections: Sequence[Rows],
    truths_xyxy: Sequence[Rows],
    truth_classes: Sequence[NDArray[np.int64]],
    hard: NDArray[np.bool_],
    *,
    resamples: int,
    seed: int,
) -> Accuracy:
    """Measure detections, for each frame (K, 6) best score first, against true boxes (M, 4) and classes (M,)."""
    table = _coco_precision(detections, truths_xyxy, truth_classes)
    matches = [match_class(detections, truths_xyxy, truth_classes, index) for index in range(len(DEFECT_CLASSES))]
    subset = np.nonzero(hard)[0].tolist()
    hard_matches = [
        match_class(
            [detections[i] for i in subset], [truths_xyxy[i] for i in subset], [truth_classes[i] for i in subset], index
        )
        for index in range(len(DEFECT_CLASSES))
    ] if len(subset) else matches  # fmt: skip
    return Accuracy(
        map50=float(np.nanmean(table[:, 0])),
        map50_95=float(np.nanmean(table)),
        intervals=bootstrap_map(matches, resamples=resamples, seed=seed),
        map50_hard=bootstrap_map(hard_matches, resamples=1, seed=seed).map50.value,
        ap50_by_class={name: float(table[index, 0]) for index, name in enumerate(DEFECT_CLASSES)},
        frames=len(detections),
    )


def _detect_all(detector: OnnxDetector, cache: FrameCache) -> list[Rows]:
    results = []
    for start in track(range(0, len(cache), BATCH), description="evaluate"):
        stop = min(start + BATCH, len(cache))
        for index, rows in zip(range(start, stop), detector.detect(np.asarray(cache.images[start:stop])), strict=True):
            placed = rows.copy()
            placed[:, :4] = to_frame(rows[:, :4], _placement(cache, index))
            results.append(placed)
    return results


def _truth(cache: FrameCache) -> tuple[list[Rows], list[NDArray[np.int64]]]:
    """True boxes in frame pixels and classes, for each frame."""
    rows = [cache.labels_of(index) for index in range(len(cache))]
    boxes = [to_frame(boxes, _placement(cache, index)) for index, (boxes, _) in enumerate(rows)]
    return boxes, [classes for _, classes in rows]


def _placement(cache: FrameCache, index: int) -> Placement:
    scale_x, scale_y, offset_x, offset_y = cache.placements[index]
    return Placement(float(scale_x), float(scale_y), int(offset_x), int(offset_y), FRAME_WIDTH, FRAME_HEIGHT)


def _coco_precision(
    detections: Sequence[Rows], truths_xyxy: Sequence[Rows], truth_classes: Sequence[NDArray[np.int64]]
) -> NDArray[np.float64]:
    """COCO's average precision, (classes, 10 IoU thresholds); NaN for a class without true boxes."""
    frames = []
    for number, (boxes, classes) in enumerate(zip(truths_xyxy, truth_classes, strict=True)):
        labels = [
            (int(c), (float(b[0]), float(b[1]), float(b[2]), float(b[3]))) for b, c in zip(boxes, classes, strict=True)
        ]
        frames.append((number + 1, f"{number}.jpg", labels))
    truth = COCO(coco_document(frames))
    results = [
        {
            "image_id": number + 1,
            "category_id": int(row[5]) + 1,
            "bbox": [float(row[0]), float(row[1]), float(row[2] - row[0]), float(row[3] - row[1])],
            "score": float(row[4]),
        }
        for number, rows in enumerate(detections)
        for row in rows
    ]
    if not results:
        return np.zeros((len(DEFECT_CLASSES), 10))
    evaluation = COCOeval_faster(truth, truth.loadRes(results), "bbox")
    evaluation.evaluate()
    evaluation.accumulate()
    # precision: IoU thresholds, recall points, classes, areas (0: all), detection limits (last: 100).
    precision = np.asarray(evaluation.eval["precision"])[:, :, :, 0, -1]
    averaged = np.where(precision > -1, precision, np.nan).mean(axis=1)
    return np.asarray(averaged.T, dtype=np.float64)
