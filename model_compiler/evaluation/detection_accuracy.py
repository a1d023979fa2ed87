"""How often a detector is right: COCO's average precision, and agreement with another detector."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from contracts.model_card import Metric
from model_compiler.evaluation.coco_precision import coco_precision
from model_compiler.evaluation.labelled_frames import LabelledFrames
from model_compiler.evaluation.predictions import Detections
from vision.bootstrap import Interval, bootstrap_map, bootstrap_map50_difference, bootstrap_ratio
from vision.matching import ClassMatches, match_class


@dataclass(frozen=True, slots=True)
class Accuracy:
    """Accuracy on labelled frames: metrics for a card, and one number for each label that occurs."""

    metrics: tuple[Metric, ...]
    by_label: dict[str, float]


def measure_detector(found: Detections, frames: LabelledFrames, *, resamples: int, seed: int) -> Accuracy:
    """Mean average precision at IoU 0.5, and averaged over 0.5 to 0.95, by COCO's evaluation library.

    The 95 % intervals are of our own matching, resampled over frames; it differs from the library by less than 1e-3.

    Args:
        found: Answers to the frames.
        frames: Labelled.
        resamples: Of the bootstrap.
        seed: Of the bootstrap.

    Raises:
        ValueError: No frame has a true box.
    """
    table = coco_precision(found.rows, frames.truths_xyxy, frames.truth_classes, frames.labels)
    present = ~np.isnan(table[:, 0])
    if not present.any():
        raise ValueError("average precision needs at least one true box")
    intervals = bootstrap_map(match_all(found, frames), resamples=resamples, seed=seed)
    values = {"mAP50": table[present, 0].mean(), "mAP50_95": table[present].mean()}
    metrics = tuple(
        metric(name, Interval(float(value), interval.low, interval.high), frames)
        for (name, value), interval in zip(values.items(), (intervals.map50, intervals.map50_95), strict=True)
    )
    by_label = {label: float(table[index, 0]) for index, label in enumerate(frames.labels) if present[index]}
    return Accuracy(metrics, by_label)


def map50_difference(
    first: Detections, second: Detections, frames: LabelledFrames, *, resamples: int, seed: int
) -> Interval:
    """mAP50 of ``first`` minus that of ``second``, by bootstrap over frames that are resampled for both together."""
    return bootstrap_map50_difference(
        match_all(first, frames), match_all(second, frames), resamples=resamples, seed=seed
    )


def match_all(found: Detections, frames: LabelledFrames) -> list[ClassMatches]:
    """One entry for each label."""
    truths, classes = frames.truths_xyxy, frames.truth_classes
    return [match_class(found.rows, truths, classes, index) for index in range(len(frames.labels))]


def detector_agreement(first: Detections, second: Detections, *, resamples: int, seed: int) -> Interval:
    """F1 score of what ``first`` shows, with what ``second`` shows as the truth; needs no labels.

    A box agrees when it overlaps a free one of the same class by IoU 0.5. Where both show nothing they agree: 1.
    """
    shown, expected = first.shown(), second.shown()
    common = np.zeros(len(shown))
    for index in range(len(first.thresholds)):
        boxes = [rows[:, :4] for rows in expected]
        classes = [rows[:, 5].astype(np.int64) for rows in expected]
        matches = match_class(shown, boxes, classes, index)
        common += np.bincount(matches.frames[matches.hits[0]], minlength=len(shown))
    return bootstrap_ratio(2 * common, _counts(shown) + _counts(expected), resamples=resamples, seed=seed)


def _counts(rows: list[NDArray[np.float32]]) -> NDArray[np.float64]:
    return np.array([len(each) for each in rows], np.float64)


def metric(name: str, interval: Interval, frames: LabelledFrames) -> Metric:
    """For a card."""
    return Metric(
        name=name,
        value=interval.value,
        low=interval.low,
        high=interval.high,
        dataset=frames.folder.name,
        dataset_sha256=frames.sha256,
        n=len(frames),
    )
