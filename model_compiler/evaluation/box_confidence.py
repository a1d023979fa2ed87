"""Calibrates the scores of a detector's boxes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from contracts.confidence_calibration import CalibrationMethod, ScoreMap
from model_compiler.evaluation.score_maps import (
    Fit,
    FittedMap,
    expected_calibration_error,
    fit_isotonic,
    fit_platt,
    helps,
)
from vision.hardness import LOWEST_SCORE
from vision.matching import ClassMatches

Values = NDArray[np.float64]

FEWEST_BOXES = 200
"""A label with fewer boxes has no map of its own."""
_MOST_MAPS = 10
"""So that the card stays small; the labels with most boxes have them."""
_METHODS: Mapping[CalibrationMethod, Fit] = {"isotonic": fit_isotonic, "platt": fit_platt}


@dataclass(frozen=True, slots=True)
class BoxScores:
    """Boxes of a set of frames, from the lowest score that counts on.

    Attributes:
        scores: (N,).
        hits: (N,) whether it overlaps a free true box of its class by IoU 0.5.
        classes: (N,).
        frames: (N,).
    """

    scores: Values
    hits: NDArray[np.bool_]
    classes: NDArray[np.int64]
    frames: NDArray[np.int64]

    def part(self, chosen: NDArray[np.bool_]) -> "BoxScores":
        """Some of them."""
        return BoxScores(self.scores[chosen], self.hits[chosen], self.classes[chosen], self.frames[chosen])


@dataclass(frozen=True, slots=True)
class BoxMaps:
    """A map for each of some classes, and one for all others."""

    pooled: FittedMap
    by_class: Mapping[int, FittedMap]

    def __call__(self, scores: Values, classes: NDArray[np.int64]) -> Values:
        """Probabilities, (N,)."""
        mapped = self.pooled(scores)
        for index, own in self.by_class.items():
            mine = classes == index
            mapped[mine] = own(scores[mine])
        return mapped


@dataclass(frozen=True, slots=True)
class BoxCalibration:
    """How well maps do; ``maps`` is None where none halved the error."""

    method: CalibrationMethod
    maps: BoxMaps | None
    samples: int
    ece_before: float
    ece_after: float


def box_scores(matches: Sequence[ClassMatches]) -> BoxScores:
    """The boxes of all classes, one entry of ``matches`` each."""
    kept = [found.scores >= LOWEST_SCORE for found in matches]
    return BoxScores(
        np.concatenate([found.scores[keep] for found, keep in zip(matches, kept, strict=True)]),
        np.concatenate([found.hits[0][keep] for found, keep in zip(matches, kept, strict=True)]),
        np.concatenate([np.full(int(keep.sum()), index) for index, keep in enumerate(kept)]),
        np.concatenate([found.frames[keep] for found, keep in zip(matches, kept, strict=True)]),
    )


def calibrate_boxes(boxes: BoxScores, *, seed: int) -> BoxCalibration:
    """Choose and fit maps.

    Both methods are fitted on one half of the frames and tried on the other, then the other way round; the better one
    is used if its expected calibration error is at most half of the raw scores'. The maps are then of all boxes.

    Args:
        boxes: Of labelled frames.
        seed: Of the halving.
    """
    before = expected_calibration_error(boxes.scores, boxes.hits)
    count = len(boxes.scores)
    halves = np.random.default_rng(seed).random(int(boxes.frames.max(initial=0)) + 1) < 0.5
    first = halves[boxes.frames]
    if count < FEWEST_BOXES or first.all() or not first.any():
        return BoxCalibration("none", None, count, before, before)
    errors = {method: _error_elsewhere(boxes, first, fit) for method, fit in _METHODS.items()}
    best = min(errors, key=lambda method: errors[method])
    if not helps(before, errors[best]):
        return BoxCalibration("none", None, count, before, errors[best])
    return BoxCalibration(best, _fit_maps(boxes, _METHODS[best]), count, before, errors[best])


def score_map(fitted: FittedMap) -> ScoreMap:
    """For a card."""
    return ScoreMap(scores=tuple(fitted.scores.tolist()), probabilities=tuple(fitted.probabilities.tolist()))


def _error_elsewhere(boxes: BoxScores, first: NDArray[np.bool_], fit: Fit) -> float:
    mapped = np.empty(len(boxes.scores))
    for part in (first, ~first):
        other = boxes.part(~part)
        mapped[part] = _fit_maps(other, fit)(boxes.scores[part], boxes.classes[part])
    return expected_calibration_error(mapped, boxes.hits)


def _fit_maps(boxes: BoxScores, fit: Fit) -> BoxMaps:
    counts = np.bincount(boxes.classes)
    largest = np.argsort(-counts, kind="stable")[:_MOST_MAPS]
    own = [int(index) for index in largest if counts[index] >= FEWEST_BOXES]
    others = ~np.isin(boxes.classes, own)
    rest = boxes.part(others) if others.any() else boxes
    by_class = {index: boxes.part(boxes.classes == index) for index in sorted(own)}
    return BoxMaps(
        fit(rest.scores, rest.hits), {index: fit(part.scores, part.hits) for index, part in by_class.items()}
    )
