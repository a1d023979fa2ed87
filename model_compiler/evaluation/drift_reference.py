"""Counts what a build's answers and its frames look like on the calibration frames."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from contracts.drift_reference import BinnedCounts, DriftReference
from model_compiler.evaluation.labelled_frames import LabelledFrames
from model_compiler.evaluation.predictions import Classifications, Detections, Predictions
from vision.decode import decode_frame
from vision.frame_statistics import WIDTH, FrameStatistics, frame_statistics
from vision.hardness import LOWEST_SCORE
from vision.prepare import DEFAULT_MAX_PIXELS

_SHARE_BINS, _FRAME_BINS = 20, 16
_MOST_BOXES = 20
_SMALLEST_AREA_LOG2 = -16.0
_SHARPEST_LOG2 = 16.0


@dataclass(frozen=True, slots=True)
class FrameView:
    """What the frames look like: their statistics, and the pixels of each."""

    statistics: tuple[FrameStatistics, ...]
    areas: tuple[int, ...]


def view_frames(frames: LabelledFrames) -> FrameView:
    """Decode every frame and measure it.

    Raises:
        ImageError: One is damaged.
        OSError: One is gone.
    """
    statistics, areas = [], []
    for frame in frames.frames:
        decoded = decode_frame(frame.read(), target_wh=(WIDTH, 1), max_pixels=DEFAULT_MAX_PIXELS)
        statistics.append(frame_statistics(decoded.rgb))
        areas.append(decoded.frame_wh[0] * decoded.frame_wh[1])
    return FrameView(tuple(statistics), tuple(areas))


def drift_reference(
    found: Predictions, hardness: NDArray[np.float64], view: FrameView, frames: LabelledFrames
) -> DriftReference:
    """Count answers and frames in fixed bins.

    Args:
        found: Answers to the frames.
        hardness: (N,) of each frame.
        view: How the frames look.
        frames: Those.
    """
    own = _of_boxes(found, view, frames) if isinstance(found, Detections) else _of_labels(found, frames)
    return DriftReference(
        dataset_sha256=frames.sha256,
        frames=len(frames),
        lowest_score=LOWEST_SCORE if isinstance(found, Detections) else 0.0,
        hardness=counted(hardness, 0.0, 1.0, _SHARE_BINS),
        brightness=counted([each.brightness for each in view.statistics], 0.0, 256.0, _FRAME_BINS),
        sharpness=counted([each.sharpness for each in view.statistics], 0.0, _SHARPEST_LOG2, _FRAME_BINS),
        entropy_bits=counted([each.entropy_bits for each in view.statistics], 0.0, 8.0, _FRAME_BINS),
        **own,
    )


def counted(values: ArrayLike, low: float, high: float, bins: int) -> BinnedCounts:
    """Counts of values in bins of equal width; those outside are in the outermost."""
    places = ((np.asarray(values, np.float64) - low) * (bins / (high - low))).astype(np.int64)
    counts = np.bincount(np.clip(places, 0, bins - 1), minlength=bins)
    return BinnedCounts(low=low, high=high, counts=tuple(counts.tolist()))


def _of_boxes(found: Detections, view: FrameView, frames: LabelledFrames) -> dict[str, object]:
    kept = [rows[rows[:, 4] >= LOWEST_SCORE] for rows in found.rows]
    rows = np.concatenate(kept).astype(np.float64)
    pixels = np.repeat(np.array(view.areas, np.float64), [len(each) for each in kept])
    sides = np.maximum(rows[:, 2:4] - rows[:, :2], 1e-6)
    areas = np.log2(np.maximum(sides.prod(axis=1) / pixels, 2.0 ** (_SMALLEST_AREA_LOG2 - 1)))
    return {
        "confidence": counted(rows[:, 4], 0.0, 1.0, _SHARE_BINS),
        "class_counts": _by_class(rows[:, 5].astype(np.int64), frames.labels),
        "boxes_per_frame": counted([len(each) for each in kept], 0.0, float(_MOST_BOXES), _MOST_BOXES),
        "box_area_log2": counted(areas, _SMALLEST_AREA_LOG2, 0.0, _FRAME_BINS),
    }


def _of_labels(found: Classifications, frames: LabelledFrames) -> dict[str, object]:
    return {
        "confidence": counted(found.probabilities.max(axis=1), 0.0, 1.0, _SHARE_BINS),
        "class_counts": _by_class(found.best, frames.labels),
    }


def _by_class(classes: NDArray[np.int64], labels: Sequence[str]) -> tuple[int, ...]:
    return tuple(np.bincount(classes, minlength=len(labels)).tolist())
