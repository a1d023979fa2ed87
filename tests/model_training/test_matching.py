import numpy as np
import pytest
from numpy.typing import NDArray

from model_training.bootstrap import bootstrap_map
from model_training.evaluate import measure_accuracy
from model_training.matching import average_precisions, box_iou, match_class

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


def noisy_set(seed: int, frames: int) -> tuple[list[Rows], list[Rows], list[NDArray[np.int64]]]:
    rng = np.random.default_rng(seed)
    detections, truths, classes = [], [], []
    for _ in range(frames):
        count = int(rng.integers(0, 4))
        corner = rng.uniform(0, 300, (count, 2))
        boxes = np.concatenate([corner, corner + rng.uniform(20, 90, (count, 2))], axis=1).astype(np.float32)
        labels = rng.integers(0, 6, count)
        guesses = np.concatenate([boxes + rng.normal(0, 5, boxes.shape), rng.uniform(0, 300, (2, 2)).repeat(2, 1)])
        guesses[count:, 2:] += 40
        scores = np.concatenate([rng.uniform(0.3, 1, count), rng.uniform(0, 0.6, 2)])
        found = np.concatenate([np.where(rng.random(count) < 0.8, labels, 0), rng.integers(0, 6, 2)])
        rows = np.column_stack([guesses, scores, found]).astype(np.float32)
        detections.append(rows[np.argsort(-rows[:, 4])])
        truths.append(boxes)
        classes.append(labels)
    return detections, truths, classes


def test_our_matching_agrees_with_the_coco_library() -> None:
    detections, truths, classes = noisy_set(1, 60)
    accuracy = measure_accuracy(detections, truths, classes, np.ones(60, np.bool_), resamples=20, seed=0)
    assert 0.2 < accuracy.map50 < 0.95
    assert accuracy.intervals.map50.value == pytest.approx(accuracy.map50, abs=2e-3)
    assert accuracy.intervals.map50_95.value == pytest.approx(accuracy.map50_95, abs=2e-3)
    assert accuracy.intervals.map50.low < accuracy.map50 < accuracy.intervals.map50.high


def test_more_frames_narrow_the_interval() -> None:
    widths = []
    for frames in (40, 640):
        detections, truths, classes = noisy_set(2, frames)
        matches = [match_class(detections, truths, classes, index) for index in range(6)]
        interval = bootstrap_map(matches, resamples=60, seed=0).map50
        widths.append(interval.high - interval.low)
    assert widths[1] < 0.5 * widths[0]


def test_no_detections_score_nothing() -> None:
    truth = [np.array([[0, 0, 10, 10]], np.float32)] * 3
    accuracy = measure_accuracy([NO_ROWS] * 3, truth, [np.array([1])] * 3, np.ones(3, np.bool_), resamples=5, seed=0)
    assert accuracy.map50 == 0
