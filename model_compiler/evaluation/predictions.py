"""What a build answered to a set of frames."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from contracts.model_card import ModelCard

LOWEST_SCORE = 0.001
"""Detections are kept from here on: average precision looks at all of them."""


@dataclass(frozen=True, slots=True)
class Detections:
    """Answers of a detector.

    Attributes:
        rows: For each frame (K, 6): x1, y1, x2, y2 in pixels of the frame, score, class; best score first.
        thresholds: (C,) score from which each class is shown.
    """

    rows: tuple[NDArray[np.float32], ...]
    thresholds: NDArray[np.float64]

    def shown(self) -> list[NDArray[np.float32]]:
        """For each frame the rows that a user sees."""
        return [rows[rows[:, 4] >= self.thresholds[rows[:, 5].astype(np.int64)]] for rows in self.rows]


@dataclass(frozen=True, slots=True)
class Classifications:
    """Answers of a classifier: ``probabilities`` (N, C)."""

    probabilities: NDArray[np.float64]

    @property
    def best(self) -> NDArray[np.int64]:
        """(N,) index of the most probable class."""
        return np.asarray(self.probabilities.argmax(axis=1), np.int64)


Predictions = Detections | Classifications


def detections_of(rows: Sequence[NDArray[np.float32]], card: ModelCard) -> Detections:
    """Answers of a detector with the thresholds of its card."""
    shown_from = [card.thresholds.by_label.get(label, card.thresholds.default) for label in card.labels]
    return Detections(tuple(rows), np.array(shown_from))
