"""Literal boxes: which answers of two models are the same."""

import math

import numpy as np
import pytest

from contracts.model_card import NmsSpec
from model_compiler.engines.agreement import candidate_agreement, class_agreement, detection_agreement
from model_compiler.engines.answers import DetectionRules, Rows, detections
from model_compiler.engines.tensor_error import tensor_error

RULES = DetectionRules(np.array([0.5, 0.5], np.float32), NmsSpec())
NONE = np.zeros((0, 6), np.float32)


def rows(*values: tuple[float, ...]) -> Rows:
    return np.array(values, np.float32).reshape(-1, 6)


@pytest.mark.parametrize(
    ("reference", "candidate", "compared", "agreeing"),
    [
        (NONE, NONE, 0, 0),
        (rows((0, 0, 10, 10, 0.9, 0)), NONE, 1, 0),
        (NONE, rows((0, 0, 10, 10, 0.9, 0)), 1, 0),
        (rows((0, 0, 10, 10, 0.9, 0)), rows((0, 0, 10, 10, 0.8, 0)), 2, 2),
        (rows((0, 0, 10, 10, 0.9, 0)), rows((0, 0, 10, 10, 0.8, 1)), 2, 0),
        (rows((0, 0, 10, 10, 0.9, 0)), rows((0, 0, 10, 8.9, 0.9, 0)), 2, 0),
        (rows((0, 0, 10, 10, 0.9, 0)), rows((0, 0, 10, 9.1, 0.9, 0)), 2, 2),
        (rows((0, 0, 10, 10, 0.9, 0), (20, 0, 30, 10, 0.8, 0)), rows((0, 0, 10, 10, 0.9, 0)), 3, 2),
    ],
)
def test_same_class_and_nearly_the_same_box(reference: Rows, candidate: Rows, compared: int, agreeing: int) -> None:
    found = detection_agreement([reference], [candidate], RULES, margin=0.0, same_box_iou=0.9)
    assert (found.compared, found.agreeing) == (compared, agreeing)


def test_one_box_cannot_stand_for_two() -> None:
    two, between = rows((0, 0, 10, 10, 0.9, 0), (4, 0, 14, 10, 0.8, 0)), rows((2, 0, 12, 10, 0.9, 0))
    found = detection_agreement([two], [between], RULES, margin=0.0, same_box_iou=0.5)
    assert (found.compared, found.agreeing) == (3, 2)


def test_rows_that_fill_up_a_grafted_output_are_no_detections() -> None:
    anything = DetectionRules(np.zeros(2, np.float32), NmsSpec())
    assert len(detections(np.zeros((300, 6), np.float32), anything)) == 0


def test_a_score_just_under_its_threshold_is_no_missing_box() -> None:
    above, under = rows((0, 0, 10, 10, 0.51, 0)), rows((0, 0, 10, 10, 0.49, 0))
    strict = detection_agreement([above], [under], RULES, margin=0.0, same_box_iou=0.9)
    lenient = detection_agreement([above], [under], RULES, margin=0.05, same_box_iou=0.9)
    assert (strict.share, lenient.share) == (0.0, 1.0)
    assert lenient.mean_score_difference == pytest.approx(0.02)


def test_score_differences_are_averaged_over_frames() -> None:
    box = (0, 0, 10, 10)
    found = detection_agreement(
        [rows((*box, 0.9, 0)), rows((*box, 0.8, 1))],
        [rows((*box, 0.8, 0)), rows((*box, 0.8, 1))],
        RULES,
        margin=0.0,
        same_box_iou=0.9,
    )
    assert found.mean_score_difference == pytest.approx(0.05)
    assert found.largest_score_difference == pytest.approx(0.1)


def test_classes_agree_by_the_best_one() -> None:
    found = class_agreement(np.array([[0.7, 0.3], [0.6, 0.4]]), np.array([[0.9, 0.1], [0.4, 0.6]]))
    assert (found.compared, found.agreeing, found.share) == (2, 1, 0.5)
    assert found.largest_score_difference == pytest.approx(0.2)


def test_nothing_to_compare_agrees() -> None:
    assert detection_agreement([NONE], [NONE], RULES, margin=0.0, same_box_iou=0.9).share == 1.0


BOX = (0, 0, 10, 10)


@pytest.mark.parametrize(
    ("candidate", "agreeing"),
    [(rows((*BOX, 0.11, 0)), 2), (rows((*BOX, 0.11, 1)), 0), (rows((50, 50, 60, 60, 0.11, 0)), 0), (NONE, 0)],
)
def test_where_nothing_is_sure_the_surest_are_compared(candidate: Rows, agreeing: int) -> None:
    reference = rows((*BOX, 0.12, 0), (50, 50, 60, 60, 0.05, 0))
    found = candidate_agreement([reference], [candidate], RULES, margin=0.0, same_box_iou=0.5)
    assert (found.compared, found.agreeing) == (2 if len(candidate) else 1, agreeing)
    assert found.score_from == pytest.approx(0.06)
    assert found.below_thresholds


@pytest.mark.parametrize("reference", [NONE, rows((*BOX, 0.009, 0))])
def test_guesses_are_not_compared(reference: Rows) -> None:
    found = candidate_agreement([reference], [reference], RULES, margin=0.0, same_box_iou=0.5)
    assert (found.compared, found.score_from) == (0, None)


def test_error_of_a_tensor() -> None:
    error = tensor_error("t", np.array([3.0, 4.0]), np.array([3.0, 4.5]))
    assert (error.largest, error.relative, error.not_finite) == (0.5, 0.125, 0)
    assert error.sqnr_db == pytest.approx(20.0)


def test_equal_tensors_have_no_noise() -> None:
    assert tensor_error("t", np.zeros(3), np.zeros(3)).sqnr_db == math.inf
    assert tensor_error("t", np.zeros(3), np.zeros(3)).relative == 0.0
    assert tensor_error("t", np.zeros(3), np.ones(3)).relative == math.inf


def test_values_that_are_not_finite_count_only_where_the_reference_has_numbers() -> None:
    error = tensor_error("t", np.array([1.0, np.inf, 2.0]), np.array([np.nan, np.nan, 2.0]))
    assert (error.not_finite, error.sqnr_db) == (1, -math.inf)
