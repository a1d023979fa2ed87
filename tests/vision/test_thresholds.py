import numpy as np
import pytest

from vision.matching import ClassMatches
from vision.thresholds import best_f1_threshold


def matches(scores: list[float], hits: list[bool], truths: int) -> ClassMatches:
    return ClassMatches(
        np.array(scores),
        np.zeros(len(scores), np.int64),
        np.tile(np.array(hits, np.bool_), (10, 1)),
        np.array([truths]),
    )


@pytest.mark.parametrize(
    ("scores", "hits", "truths", "expected"),
    [
        ([0.8, 0.6, 0.4, 0.2], [True, True, False, False], 2, 0.6),
        ([0.8, 0.6, 0.4, 0.2], [True, False, True, True], 3, 0.2),
        ([0.99], [True], 1, 0.9),
        ([0.4], [False], 1, 0.25),
        ([], [], 3, 0.25),
    ],
)
def test_best_f1_threshold(scores: list[float], hits: list[bool], truths: int, expected: float) -> None:
    assert best_f1_threshold(matches(scores, hits, truths)) == expected
