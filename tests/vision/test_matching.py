import numpy as np
import pytest
from numpy.typing import NDArray

from vision.matching import average_precisions, box_iou, match_class

Rows = NDArray[np.float32]
NO_ROWS = np.zeros((0, 6), np.float32)


def test_box_iou() -> None:
    first = np.array([[0.0, 0, 10, 10]])
    second = np.array([[0.0, 0, 10, 10], [5, 0, 15, 10], [10, 10, 20, 20]])
    assert box_iou(first, second)[0] == pytest.approx([1.0, 1 / 3, 0.0])


def test_each_true_box_is_found_once() -> None:
    rows = np.array([[0, 0, 10, 10, 0.9, 0], [0, 0, 10, 9, 0.8, 0], [50, 50, 60, 60, 0.7, 0]], np.float32)
    truth = np.array([[0, 0, 10, 10]], np.float32)
    found = match_class([rows], [truth], [np.array([0])], 0)
    assert found.hits[0].tolist() == [True, False, False]
    assert found.truths.tolist() == [1]


def test_the_better_scored_detection_comes_first_across_frames() -> None:
    truth = [np.array([[0, 0, 10, 10]], np.float32)] * 2
    low, high = (np.array([[0, 0, 10, 10, score, 2]], np.float32) for score in (0.2, 0.8))
    found = match_class([low, high], truth, [np.array([2])] * 2, 2)
    assert found.frames.tolist() == [1, 0]


def test_average_precision_of_a_known_ranking() -> None:
    rows = np.array([[0, 0, 10, 10, 0.9, 0], [40, 40, 50, 50, 0.8, 0], [20, 20, 30, 30, 0.7, 0]], np.float32)
    truth = np.array([[0, 0, 10, 10], [20, 20, 30, 30]], np.float32)
    found = match_class([rows], [truth], [np.array([0, 0])], 0)
    # Precision 1 up to recall 0.5 (51 of 101 points), then 2/3.
    assert average_precisions(found, np.ones(1))[0] == pytest.approx((51 + 50 * 2 / 3) / 101)


def test_no_true_box_counts_as_unknown() -> None:
    found = match_class([NO_ROWS], [np.zeros((0, 4), np.float32)], [np.zeros(0, np.int64)], 0)
    assert np.isnan(average_precisions(found, np.ones(1))).all()
