"""Fits maps from scores to probabilities: isotonic regression, Platt's logistic curve, temperature scaling."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]

_KNOTS = 8
_BINS = 15
_CLOSEST = 1e-4
_NEWTON_STEPS = 25


@dataclass(frozen=True, slots=True)
class FittedMap:
    """Piecewise linear from score to probability; both rise, 4 decimals are kept."""

    scores: Values
    probabilities: Values

    def __call__(self, scores: Values) -> Values:
        """Probabilities, (N,)."""
        return np.interp(scores, self.scores, self.probabilities)


LEAST_ERROR = 0.01
"""An expected calibration error below is noise, and left alone."""


def helps(before: float, after: float) -> bool:
    """Whether a map is worth having: it halves the expected calibration error."""
    return before >= LEAST_ERROR and after <= before / 2


Fit = Callable[[Values, NDArray[np.bool_]], FittedMap]


def fit_isotonic(scores: Values, hits: NDArray[np.bool_]) -> FittedMap:
    """The best rising step function (pool adjacent violators, Ayer et al. 1955), averaged over eight equal groups.

    Args:
        scores: (N,) at least one.
        hits: (N,) whether each was right.
    """
    order = np.argsort(scores, kind="stable")
    ranked, rising = scores[order], pool_adjacent_violators(hits[order].astype(np.float64))
    groups = np.array_split(np.arange(len(order)), min(_KNOTS, len(order)))
    return _rounded_map(
        np.array([ranked[group].mean() for group in groups]),
        np.array([rising[group].mean() for group in groups]),
    )


def pool_adjacent_violators(values: Values) -> Values:
    """The rising sequence closest to the values in squared distance: falling neighbours are averaged."""
    means: list[float] = []
    sizes: list[int] = []
    for value in values.tolist():
        means.append(value)
        sizes.append(1)
        while len(means) > 1 and means[-2] >= means[-1]:
            size = sizes[-2] + sizes[-1]
            mean = (means[-2] * sizes[-2] + means[-1] * sizes[-1]) / size
            means[-2:], sizes[-2:] = [mean], [size]
    return np.repeat(means, sizes)


def fit_platt(scores: Values, hits: NDArray[np.bool_]) -> FittedMap:
    """A logistic curve over the logit of the score, by Newton's method on Platt's (1999) smoothed targets.

    A falling curve, which a map must not be, becomes the constant share of hits.

    Args:
        scores: (N,) at least one.
        hits: (N,) whether each was right.
    """
    count = int(hits.sum())
    targets = np.where(hits, (count + 1) / (count + 2), 1 / (len(hits) - count + 2))
    features = np.column_stack([_logit(scores), np.ones(len(scores))])
    weights = np.array([1.0, 0.0])
    for _ in range(_NEWTON_STEPS):
        expected = _sigmoid(features @ weights)
        slope = features.T @ (expected - targets)
        curvature = features.T @ (features * (expected * (1 - expected))[:, None]) + 1e-6 * np.eye(2)
        weights = weights - np.linalg.solve(curvature, slope)
    knots = np.quantile(scores, np.linspace(0, 1, _KNOTS))
    if weights[0] <= 0 or not np.isfinite(weights).all():
        return _rounded_map(knots, np.full(len(knots), hits.mean()))
    return _rounded_map(knots, _sigmoid(weights[0] * _logit(knots) + weights[1]))


def fit_temperature(probabilities: Values, classes: NDArray[np.int64]) -> float:
    """The temperature under which the true classes are most likely (Guo et al. 2017), from 0.05 to 20.

    Args:
        probabilities: (N, C).
        classes: (N,) true ones.
    """
    low, high = np.log(0.05), np.log(20.0)
    golden = (np.sqrt(5) - 1) / 2
    for _ in range(50):
        left, right = high - golden * (high - low), low + golden * (high - low)
        if _surprise(probabilities, classes, np.exp(left)) < _surprise(probabilities, classes, np.exp(right)):
            high = right
        else:
            low = left
    return round(float(np.exp((low + high) / 2)), 4)


def tempered(probabilities: Values, temperature: float) -> Values:
    """Softmax of log(p) / temperature, (N, C)."""
    logits = np.log(np.maximum(probabilities, 1e-12)) / temperature
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True), dtype=np.float64)


def expected_calibration_error(probabilities: Values, hits: NDArray[np.bool_]) -> float:
    """Mean gap between probability and share of hits over 15 bins of equal width, weighted by their counts.

    Naeini et al. 2015. 0 for no values.
    """
    bins = np.minimum((probabilities * _BINS).astype(np.int64), _BINS - 1)
    gaps = np.bincount(bins, probabilities - hits, minlength=_BINS)
    return float(np.abs(gaps).sum() / len(hits)) if len(hits) else 0.0


def _surprise(probabilities: Values, classes: NDArray[np.int64], temperature: float) -> float:
    likely = tempered(probabilities, temperature)[np.arange(len(classes)), classes]
    return float(-np.log(np.maximum(likely, 1e-12)).mean())


def _rounded_map(scores: Values, probabilities: Values) -> FittedMap:
    rounded, places = np.unique(np.round(scores, 4), return_index=True)
    return FittedMap(rounded, np.round(np.maximum.accumulate(probabilities[places]), 4))


def _logit(scores: Values) -> Values:
    inside = np.clip(scores, _CLOSEST, 1 - _CLOSEST)
    return np.asarray(np.log(inside / (1 - inside)), dtype=np.float64)


def _sigmoid(values: Values) -> Values:
    return np.asarray(1 / (1 + np.exp(-np.clip(values, -50, 50))), dtype=np.float64)
