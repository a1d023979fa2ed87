import numpy as np
import pytest
from numpy.typing import NDArray

from model_compiler.evaluation.detection_accuracy import detector_agreement, map50_difference, measure_detector
from model_compiler.evaluation.predictions import Detections
from tests.model_compiler.evaluation.frame_sets import detection_set
from tests.vision.noisy_detections import noisy_set

LABELS = ("a", "b", "c", "d", "e", "f")
Rows = NDArray[np.float32]


def detections(rows: list[Rows], threshold: float = 0.25) -> Detections:
    return Detections(tuple(rows), np.full(len(LABELS), threshold))


def row(left: float, score: float, index: int = 0) -> list[float]:
    return [left, 0, left + 10, 10, score, index]


def test_our_intervals_surround_the_numbers_of_the_coco_library() -> None:
    rows, truths, classes = noisy_set(1, 150)
    frames = detection_set(truths, classes, LABELS)
    found = measure_detector(detections(rows), frames, resamples=40, seed=0)
    again = measure_detector(detections(rows), frames, resamples=40, seed=0)
    map50, map50_95 = found.metrics
    assert (map50.name, map50_95.name) == ("mAP50", "mAP50_95")
    assert map50.low is not None
    assert map50.high is not None
    assert map50.low < map50.value < map50.high
    assert map50_95.value < map50.value
    assert map50.n == 150
    assert np.mean(list(found.by_label.values())) == pytest.approx(map50.value)
    assert found == again


def test_a_perfect_detector_has_full_precision_and_labels_without_boxes_do_not_count() -> None:
    truth = [np.array([[0, 0, 10, 10]], np.float32)] * 2
    frames = detection_set(truth, [np.array([0])] * 2, LABELS)
    found = measure_detector(detections([np.array([row(0, 0.9)], np.float32)] * 2), frames, resamples=20, seed=0)
    assert found.metrics[0].value == pytest.approx(1.0)
    assert found.by_label == {"a": pytest.approx(1.0)}


def test_a_detector_that_finds_nothing_scores_nothing() -> None:
    frames = detection_set([np.array([[0, 0, 10, 10]], np.float32)], [np.array([0])], LABELS)
    found = measure_detector(detections([np.zeros((0, 6), np.float32)]), frames, resamples=20, seed=0)
    assert [metric.value for metric in found.metrics] == [0.0, 0.0]


def test_accuracy_needs_a_true_box() -> None:
    frames = detection_set([np.zeros((0, 4), np.float32)], [np.zeros(0, np.int64)], LABELS)
    with pytest.raises(ValueError, match="at least one true box"):
        measure_detector(detections([np.array([row(0, 0.9)], np.float32)]), frames, resamples=20, seed=0)


def test_losing_detections_shows_in_the_difference() -> None:
    rows, truths, classes = noisy_set(4, 150)
    frames = detection_set(truths, classes, LABELS)
    rng = np.random.default_rng(0)
    fewer = [each[rng.random(len(each)) < 0.8] for each in rows]
    found = map50_difference(detections(fewer), detections(rows), frames, resamples=40, seed=0)
    assert found.low < found.value < found.high < 0


@pytest.mark.parametrize(
    ("mine", "theirs", "expected"),
    [
        ([row(0, 0.9), row(50, 0.5)], [row(0, 0.3), row(50, 0.9)], 1.0),
        ([row(0, 0.9), row(50, 0.5)], [row(1, 0.8)], 2 / 3),
        ([row(0, 0.9)], [row(0, 0.9, index=1)], 0.0),
        ([row(0, 0.9)], [row(6, 0.9)], 0.0),
        ([row(0, 0.2)], [row(0, 0.9)], 0.0),
        ([row(0, 0.2)], [], 1.0),
    ],
)
def test_agreement_is_the_f1_score_of_what_is_shown(
    mine: list[list[float]], theirs: list[list[float]], expected: float
) -> None:
    first, second = (detections([np.array(rows, np.float32).reshape(-1, 6)]) for rows in (mine, theirs))
    assert detector_agreement(first, second, resamples=20, seed=0).value == pytest.approx(expected)
    assert detector_agreement(second, first, resamples=20, seed=0).value == pytest.approx(expected)
