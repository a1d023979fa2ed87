"""Bootstrap over frames: how far a number would move with other frames of the same kind."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vision.matching import IOU_THRESHOLDS, ClassMatches, average_precisions

Weights = NDArray[np.float64]


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

    def measure(weights: Weights) -> tuple[float, float]:
        table = _precisions(matches, weights, len(IOU_THRESHOLDS))
        return _mean(table[:, 0]), _mean(table)

    map50, map50_95 = _bootstrap(measure, len(matches[0].truths), resamples, seed)
    return MapIntervals(map50, map50_95)


def bootstrap_map50_difference(
    first: Sequence[ClassMatches], second: Sequence[ClassMatches], *, resamples: int, seed: int
) -> Interval:
    """mAP50 of ``first`` minus that of ``second``, both over the same frames, resampled together.

    What makes some frames hard for both cancels out, so the interval is much narrower than two separate ones.

    Args:
        first: one entry a class.
        second: the same classes over the same frames, by another model.
        resamples: number of resamples.
        seed: of the resampling.

    Raises:
        ValueError: they are over different numbers of frames or classes.
    """
    frames = {len(found.truths) for found in (*first, *second)}
    if len(frames) != 1 or len(first) != len(second):
        raise ValueError(f"paired matches must share frames and classes, got {sorted(frames)} frames")

    def measure(weights: Weights) -> tuple[float]:
        return (_mean(_precisions(first, weights, 1)) - _mean(_precisions(second, weights, 1)),)

    return _bootstrap(measure, frames.pop(), resamples, seed)[0]


def bootstrap_ratio(
    numerators: NDArray[np.float64], denominators: NDArray[np.float64], *, resamples: int, seed: int
) -> Interval:
    """Sum of the numerators over sum of the denominators; with denominators of 1 the mean.

    Args:
        numerators: (N,) one for each frame.
        denominators: (N,) not negative; where their sum is 0 the ratio is 1.
        resamples: number of resamples.
        seed: of the resampling.
    """

    def measure(weights: Weights) -> tuple[float]:
        below = float(weights @ denominators)
        return (float(weights @ numerators) / below if below else 1.0,)

    return _bootstrap(measure, len(numerators), resamples, seed)[0]


def _bootstrap(
    measure: Callable[[Weights], tuple[float, ...]], frames: int, resamples: int, seed: int
) -> tuple[Interval, ...]:
    rng = np.random.default_rng(seed)
    shares = np.full(frames, 1 / frames)
    point = measure(np.ones(frames))
    draws = np.array([measure(rng.multinomial(frames, shares).astype(np.float64)) for _ in range(resamples)])
    low, high = np.nanpercentile(draws, [2.5, 97.5], axis=0)
    return tuple(
        Interval(value, float(least), float(most)) for value, least, most in zip(point, low, high, strict=True)
    )


def _precisions(matches: Sequence[ClassMatches], weights: Weights, levels: int) -> NDArray[np.float64]:
    return np.array([average_precisions(found, weights, levels) for found in matches])


def _mean(table: NDArray[np.float64]) -> float:
    """Mean over the classes that have true boxes; NaN where none has."""
    known = table[~np.isnan(table)]
    return float(known.mean()) if known.size else float("nan")
