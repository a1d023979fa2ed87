import numpy as np
import pytest

from model_training.evaluate import measure_accuracy
from tests.vision.noisy_detections import noisy_set

NO_ROWS = np.zeros((0, 6), np.float32)


def test_our_matching_agrees_with_the_coco_library() -> None:
    detections, truths, classes = noisy_set(1, 60)
    accuracy = measure_accuracy(detections, truths, classes, np.ones(60, np.bool_), resamples=20, seed=0)
    assert 0.2 < accuracy.map50 < 0.95
    assert accuracy.intervals.map50.value == pytest.approx(accuracy.map50, abs=2e-3)
    assert accuracy.intervals.map50_95.value == pytest.approx(accuracy.map50_95, abs=2e-3)
    assert accuracy.intervals.map50.low < accuracy.map50 < accuracy.intervals.map50.high


def test_no_detections_score_nothing() -> None:
    truth = [np.array([[0, 0, 10, 10]], np.float32)] * 3
    accuracy = measure_accuracy([NO_ROWS] * 3, truth, [np.array([1])] * 3, np.ones(3, np.bool_), resamples=5, seed=0)
    assert accuracy.map50 == 0
