"""How far the answers of two models agree, where neither is the truth."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from model_compiler.engines.answers import DetectionRules, Rows, detections
from vision.matching import box_iou

WEAKEST_SCORE = 0.01


@dataclass(frozen=True, slots=True)
class Agreement:
    """Answers of a reference and a candidate.

    Attributes:
        compared: Detections of both, or classified frames.
        agreeing: Those that the other gives too: the same class, and for detections nearly the same box.
        mean_score_difference, largest_score_difference: Of the answers that agree.
        score_from: Where no detection of either reached its threshold: the score from which candidates were compared.
    """

    compared: int
    agreeing: int
    mean_score_difference: float
    largest_score_difference: float
    score_from: float | None = None

    @property
    def share(self) -> float:
        """0 to 1; 1 where there was nothing to compare."""
        return self.agreeing / self.compared if self.compared else 1.0

    @property
    def below_thresholds(self) -> bool:
        """Whether it is of candidates that nobody would see."""
        return self.score_from is not None


def detection_agreement(
    reference: Sequence[Rows], candidate: Sequence[Rows], rules: DetectionRules, *, margin: float, same_box_iou: float
) -> Agreement:
    """Compare candidates, frame by frame.

    A detection counts as agreed when the other model has a like one above its threshold less ``margin``: a score that
    slips just under its threshold is a small difference, not a missing box.

    Args:
        reference: For each frame (K, 6) rows as `answers.candidates` gives them.
        candidate: Of the same frames.
        rules: What makes a detection.
        margin: In units of the score.
        same_box_iou: Least overlap of two boxes that count as one.
    """
    compared, differences = 0, [np.zeros(0)]
    for first, second in zip(reference, candidate, strict=True):
        for one, other in ((first, second), (second, first)):
            found = detections(one, rules)
            compared += len(found)
            differences.append(_score_differences(found, detections(other, rules, margin=margin), same_box_iou))
    return _agreement(compared, np.concatenate(differences))


def candidate_agreement(
    reference: Sequence[Rows], candidate: Sequence[Rows], rules: DetectionRules, *, margin: float, same_box_iou: float
) -> Agreement:
    """Compare what is surest, where nothing reaches its threshold: see `detection_agreement`.

    That is everything from half the reference's highest score on. Below `WEAKEST_SCORE` a network only guesses, and
    there is nothing to compare.
    """
    highest = max((float(rows[:, 4].max()) for rows in reference if len(rows)), default=0.0)
    if highest < WEAKEST_SCORE:
        return _agreement(0, np.zeros(0))
    score_from = highest / 2
    lowered = replace(rules, thresholds=np.full_like(rules.thresholds, score_from))
    found = detection_agreement(reference, candidate, lowered, margin=margin, same_box_iou=same_box_iou)
    return replace(found, score_from=score_from)


def _score_differences(found: Rows, other: Rows, same_box_iou: float) -> NDArray[np.float64]:
    """Of each detection that has a like one among ``other``; each of those is used once."""
    if not len(found) or not len(other):
        return np.zeros(0)
    overlap = box_iou(found[:, :4].astype(np.float64), other[:, :4].astype(np.float64))
    overlap[found[:, 5, None] != other[None, :, 5]] = 0.0
    differences = []
    for row, score in enumerate(found[:, 4]):
        best = int(overlap[row].argmax())
        if overlap[row, best] >= same_box_iou:
            differences.append(abs(float(score) - float(other[best, 4])))
            overlap[:, best] = 0.0
    return np.array(differences)


def class_agreement(reference: NDArray[np.float64], candidate: NDArray[np.float64]) -> Agreement:
    """Compare (N, C) probabilities by their best class."""
    same = reference.argmax(axis=1) == candidate.argmax(axis=1)
    return _agreement(len(reference), np.abs(reference.max(axis=1) - candidate.max(axis=1))[same])


def _agreement(compared: int, differences: NDArray[np.float64]) -> Agreement:
    if not len(differences):
        return Agreement(compared, 0, 0.0, 0.0)
    return Agreement(compared, len(differences), float(differences.mean()), float(differences.max()))
