import numpy as np
import pytest

from vision.errors import InvalidModelOutput
from vision.heads import best_classes, decode_yolov5, decode_yolov8, softmax

PREDICTIONS = np.array(
    [
        [50, 100, 10, 200],
        [60, 100, 20, 200],
        [20, 40, 4, 10],
        [10, 40, 8, 10],
        [0.1, 0.7, 0.5, 0.2],
        [0.3, 0.1, 0.5, 0.9],
    ],
    np.float32,
)
CANDIDATES = np.array(
    [
        [195, 195, 205, 205, 0.9, 1],
        [80, 80, 120, 120, 0.7, 0],
        [8, 16, 12, 24, 0.5, 0],
        [40, 55, 60, 65, 0.3, 1],
    ],
    np.float32,
)


def test_yolov8_best_class_of_each_anchor_best_first() -> None:
    np.testing.assert_array_equal(decode_yolov8(PREDICTIONS), CANDIDATES)


@pytest.mark.parametrize("top", [1, 2, 3, 4, 5])
def test_top(top: int) -> None:
    np.testing.assert_array_equal(decode_yolov8(PREDICTIONS, top), CANDIDATES[:top])


def test_equal_scores_take_the_first_anchor() -> None:
    predictions = np.ones((5, 1000), np.float32)
    predictions[0] = np.arange(1000)
    np.testing.assert_array_equal(decode_yolov8(predictions, 300)[:, 0], np.arange(300) - 0.5)


def test_many_anchors_equal_a_full_sort() -> None:
    predictions = np.random.default_rng(0).random((84, 8400), dtype=np.float32).round(2)
    best = predictions[4:].max(axis=0)
    order = np.argsort(-best, kind="stable")[:300]
    candidates = decode_yolov8(predictions)
    np.testing.assert_array_equal(candidates[:, 4], best[order])
    np.testing.assert_array_equal(candidates[:, 5], predictions[4:, order].argmax(axis=0))
    np.testing.assert_array_equal(candidates[:, 0], predictions[0, order] - predictions[2, order] / 2)


def test_yolov5_score_is_objectness_times_class() -> None:
    objectness = np.array([[1.0, 0.5, 1.0, 1.0]], np.float32)
    predictions = np.concatenate([PREDICTIONS[:4], objectness, PREDICTIONS[4:]]).T
    expected = CANDIDATES[[0, 2, 1, 3]].copy()
    expected[2, 4] = 0.35
    np.testing.assert_allclose(decode_yolov5(predictions), expected, rtol=1e-6)


def test_not_a_number_is_an_error() -> None:
    predictions = PREDICTIONS.copy()
    predictions[5, 2] = np.nan
    with pytest.raises(InvalidModelOutput, match="anchor 2"):
        decode_yolov8(predictions)


def test_wrong_shapes_are_named() -> None:
    with pytest.raises(ValueError, match=r"predictions must be \(4 \+ C, A\), got \(4, 9\)"):
        decode_yolov8(np.zeros((4, 9), np.float32))
    with pytest.raises(ValueError, match=r"predictions must be \(A, 5 \+ C\), got \(9, 5\)"):
        decode_yolov5(np.zeros((9, 5), np.float32))


def test_softmax_of_literal_logits() -> None:
    logits = np.log(np.array([[1, 2, 5], [4, 4, 8]], np.float32))
    np.testing.assert_allclose(softmax(logits), [[0.125, 0.25, 0.625], [0.25, 0.25, 0.5]], rtol=1e-6)


def test_softmax_of_large_logits_does_not_overflow() -> None:
    np.testing.assert_allclose(softmax(np.array([1e30, 0, -1e30], np.float32)), [1, 0, 0])
    assert softmax(np.zeros(4, np.float32)).dtype == np.float32


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_logits_that_are_no_numbers(value: float) -> None:
    with pytest.raises(InvalidModelOutput, match="a logit is not a finite number"):
        softmax(np.array([0, value], np.float32))


def test_best_classes_first_and_the_first_of_equals() -> None:
    probabilities = np.array([0.1, 0.3, 0.3, 0.2, 0.1], np.float32)
    assert best_classes(probabilities, 5).tolist() == [1, 2, 3, 0, 4]
    assert best_classes(probabilities, 2).tolist() == [1, 2]
    assert best_classes(probabilities, 9).dtype == np.int32
