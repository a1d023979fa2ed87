import numpy as np
import pytest

from model_compiler.evaluation.classification_accuracy import (
    classifier_agreement,
    confusion,
    recall_by_label,
    top1,
    top1_difference,
)
from model_compiler.evaluation.predictions import Classifications
from tests.model_compiler.evaluation.frame_sets import classification_set

LABELS = ("good", "bad", "unseen")


def answers(*best: int) -> Classifications:
    return Classifications(np.eye(3)[list(best)] * 0.8 + 0.05)


def test_accuracy_confusion_and_recall() -> None:
    frames = classification_set([0, 0, 1, 1, 1], LABELS)
    found = answers(0, 1, 1, 1, 0)
    assert top1(found, frames, resamples=50, seed=0).value == pytest.approx(0.6)
    assert confusion(found, frames).tolist() == [[1, 1, 0], [1, 2, 0], [0, 0, 0]]
    assert recall_by_label(found, frames) == {"good": 0.5, "bad": pytest.approx(2 / 3)}


def test_a_difference_is_of_the_frames_that_changed() -> None:
    frames = classification_set([0] * 200, LABELS)
    first, second = answers(*([0] * 190 + [1] * 10)), answers(*([0] * 200))
    found = top1_difference(first, second, frames, resamples=500, seed=0)
    assert found.value == pytest.approx(-0.05)
    assert -0.09 < found.low < -0.03 < found.high < -0.01


def test_agreement_needs_no_truth() -> None:
    assert classifier_agreement(answers(0, 1, 2, 2), answers(0, 1, 2, 0), resamples=20, seed=0).value == 0.75
