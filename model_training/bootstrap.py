"""Bootstrap over frames: how far mAP would move with other frames of the same kind."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from model_training.matching import ClassMatches, average_precisions


@dataclass(frozen=True)
class Interval:
    """A value with its 95 % percentile interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class MapIntervals:
    """Mean average precision at IoU 0.5, and averaged over 0.5 to 0.95."""

    map50: Interval
    map50_95: Interval


def bootstrap_map(matches: Sequence[ClassMatches], *, resamples: int, seed: int) -> MapIntervals:
    """Resample whole frames with replacement (Efron's percentile bootstrap).

    Args:
        matches: one entry a class, over the same frames.
        resamples: number of resamples.
        seed: of the resampling.
    """
    count = len(matches[0].truths)
    rng = np.random.default_rng(seed)
    point = _maps(matches, np.ones(count))
    draws = np.array(
        [_maps(matches, rng.multinomial(count, np.full(count, 1 / count)).astype(np.float64)) for _ in range(resamples)]
    )
    low, high = np.percentile(draws, [2.5, 97.5], axis=0)
    return MapIntervals(
        Interval(point[0], float(low[0]), float(high[0])), Interval(point[1], float(low[1]), float(high[1]))
    )


def _maps(
    matches: Sequence[ClassMatches], weights: np.ndarray[tuple[int], np.dtype[np.float64]]
) -> tuple[float, float]:
    table = np.array([average_precisions(found, weights) for found in matches])
    return float(np.nanmean(table[:, 0])), float(np.nanmean(table))
