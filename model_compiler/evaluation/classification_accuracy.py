"""How often a classifier is right."""

import numpy as np
from numpy.typing import NDArray

from model_compiler.evaluation.labelled_frames import LabelledFrames
from model_compiler.evaluation.predictions import Classifications
from vision.bootstrap import Interval, bootstrap_ratio


def top1(found: Classifications, frames: LabelledFrames, *, resamples: int, seed: int) -> Interval:
    """Share of frames whose most probable label is the true one."""
    return _share(found.best == frames.class_indices, resamples, seed)


def top1_difference(
    first: Classifications, second: Classifications, frames: LabelledFrames, *, resamples: int, seed: int
) -> Interval:
    """Top-1 of ``first`` minus that of ``second``, frame by frame, by bootstrap over frames."""
    right = frames.class_indices
    gained = (first.best == right).astype(np.float64) - (second.best == right)
    return bootstrap_ratio(gained, np.ones(len(gained)), resamples=resamples, seed=seed)


def classifier_agreement(first: Classifications, second: Classifications, *, resamples: int, seed: int) -> Interval:
    """Share of frames to which both give the same label; needs no labels."""
    return _share(first.best == second.best, resamples, seed)


def recall_by_label(found: Classifications, frames: LabelledFrames) -> dict[str, float]:
    """For each label that occurs, the share of its frames that were recognised."""
    table = confusion(found, frames)
    totals = table.sum(axis=1)
    return {
        label: float(table[index, index] / totals[index]) for index, label in enumerate(frames.labels) if totals[index]
    }


def confusion(found: Classifications, frames: LabelledFrames) -> NDArray[np.int64]:
    """Frames by true label (rows) and given label (columns)."""
    size = len(frames.labels)
    pairs = frames.class_indices * size + found.best
    return np.bincount(pairs, minlength=size * size).reshape(size, size)


def _share(hits: NDArray[np.bool_], resamples: int, seed: int) -> Interval:
    return bootstrap_ratio(hits.astype(np.float64), np.ones(len(hits)), resamples=resamples, seed=seed)
