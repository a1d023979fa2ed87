import numpy as np
import pytest
from numpy.typing import NDArray

from vision.errors import InvalidModelOutput
from vision.nms import select_detections

Rows = NDArray[np.float32]


def rows(*values: tuple[float, ...]) -> Rows:
    return np.array(values, np.float32).reshape(-1, 6)


def select(
    candidates: Rows,
    thresholds: list[float] | None = None,
    iou_threshold: float = 0.5,
    *,
    class_agnostic: bool = False,
    max_detections: int = 300,
) -> Rows:
    return select_detections(
        candidates,
        thresholds=np.array(thresholds or [0.25, 0.25, 0.25], np.float32),
        iou_threshold=iou_threshold,
        class_agnostic=class_agnostic,
        max_detections=max_detections,
    )


def naive(candidates: Rows, thresholds: Rows, iou_threshold: float, class_agnostic: bool, most: int) -> Rows:
    """The definition, one pair at a time, in the same precision."""
    zero, limit = np.float32(0), np.float32(iou_threshold)
    sure = [row for row in candidates if row[4] >= thresholds[int(row[5])]]
    kept: list[NDArray[np.float32]] = []
    for row in sorted(sure, key=lambda row: -row[4]):
        for other in kept:
            width = max(min(row[2], other[2]) - max(row[0], other[0]), zero)
            height = max(min(row[3], other[3]) - max(row[1], other[1]), zero)
            overlap = width * height
            area = max(row[2] - row[0], zero) * max(row[3] - row[1], zero)
            other_area = max(other[2] - other[0], zero) * max(other[3] - other[1], zero)
            if (class_agnostic or row[5] == other[5]) and overlap > (other_area + area - overlap) * limit:
                break
        else:
            kept.append(row)
    return np.array(kept[:most], np.float32).reshape(-1, 6)


BEST = (10, 10, 20, 20, 0.9, 0)
NEAR = (11, 10, 21, 20, 0.8, 0)
FAR = (50, 50, 60, 60, 0.7, 0)
OTHER = (11, 10, 21, 20, 0.6, 1)


def test_nothing_in_nothing_out() -> None:
    assert select(np.empty((0, 6), np.float32)).shape == (0, 6)
    assert select(rows((0, 0, 1, 1, 0.1, 0))).shape == (0, 6)
    assert select(rows(BEST), max_detections=0).shape == (0, 6)


def test_one_candidate_stays() -> None:
    np.testing.assert_array_equal(select(rows(BEST)), rows(BEST))


def test_a_repeat_goes_and_others_stay() -> None:
    np.testing.assert_array_equal(select(rows(FAR, NEAR, BEST, OTHER)), rows(BEST, FAR, OTHER))


def test_class_agnostic_suppresses_other_classes() -> None:
    np.testing.assert_array_equal(select(rows(FAR, NEAR, BEST, OTHER), class_agnostic=True), rows(BEST, FAR))


def test_a_suppressed_box_suppresses_nothing() -> None:
    chain = rows((0, 0, 10, 10, 0.9, 0), (4, 0, 14, 10, 0.8, 0), (8, 0, 18, 10, 0.7, 0))
    np.testing.assert_array_equal(select(chain, iou_threshold=0.3), chain[[0, 2]])


def test_iou_equal_to_the_threshold_stays() -> None:
    half = rows((0, 0, 8, 8, 0.9, 0), (0, 0, 8, 4, 0.8, 0))
    assert len(select(half, iou_threshold=0.5)) == 2
    assert len(select(half, iou_threshold=0.49)) == 1


def test_each_class_has_its_own_threshold() -> None:
    candidates = rows((0, 0, 1, 1, 0.5, 0), (2, 2, 3, 3, 0.5, 1), (4, 4, 5, 5, 0.4, 2))
    np.testing.assert_array_equal(select(candidates, [0.6, 0.5, 0.4]), candidates[1:])


def test_a_threshold_is_met_by_an_equal_score_in_single_precision() -> None:
    candidates = rows((0, 0, 1, 1, 0.7, 0))
    kept = select_detections(
        candidates,
        thresholds=np.array([0.7]),
        iou_threshold=0.5,
        class_agnostic=False,
        max_detections=9,
    )
    assert len(kept) == 1


def test_most_detections_are_the_best() -> None:
    candidates = rows(*[(10 * i, 0, 10 * i + 5, 5, 0.3 + i / 1000, 0) for i in range(300)])
    np.testing.assert_array_equal(select(candidates, max_detections=100), candidates[:199:-1])


def test_equal_scores_keep_their_order() -> None:
    candidates = rows((11, 10, 21, 20, 0.5, 0), (10, 10, 20, 20, 0.5, 0), (50, 50, 60, 60, 0.5, 0))
    np.testing.assert_array_equal(select(candidates), candidates[[0, 2]])


def test_boxes_without_area_overlap_nothing() -> None:
    flat = rows((5, 5, 5, 9, 0.9, 0), (5, 5, 5, 9, 0.8, 0), (9, 9, 3, 3, 0.7, 0), (4, 4, 8, 8, 0.6, 0))
    assert len(select(flat)) == 4


def test_negative_coordinates_of_different_classes_do_not_meet() -> None:
    candidates = rows((-60, -60, -10, -10, 0.9, 1), (10, 10, 60, 60, 0.8, 0), (-60, -60, -10, -10, 0.7, 0))
    assert len(select(candidates)) == 3


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("column", range(6))
def test_values_that_are_not_finite_are_an_error(value: float, column: int) -> None:
    candidates = rows(BEST, (0, 0, 1, 1, 0.01, 0))
    candidates[1, column] = value
    with pytest.raises(InvalidModelOutput, match=f"candidate 1 has {value} in column {column}"):
        select(candidates)


@pytest.mark.parametrize("index", [-1, 3, 1e30])
def test_a_class_that_the_card_does_not_name_is_an_error(index: float) -> None:
    with pytest.raises(InvalidModelOutput, match="with 3 classes"):
        select(rows((0, 0, 1, 1, 0.9, index)))


def test_classes_of_unlikely_candidates_do_not_matter() -> None:
    np.testing.assert_array_equal(select(rows(BEST, (0, 0, 0, 0, 0, -1))), rows(BEST))


def test_enormous_boxes_do_not_overflow() -> None:
    assert len(select(rows((-1e30, -1e30, 1e30, 1e30, 0.9, 0), (0, 0, 9, 9, 0.8, 0)))) == 2


def test_wrong_shape_is_named() -> None:
    with pytest.raises(ValueError, match=r"candidates must be \(K, 6\), got \(3, 5\)"):
        select(np.zeros((3, 5), np.float32))


def test_input_is_left_as_it_is() -> None:
    candidates = rows(FAR, NEAR, BEST)
    before = candidates.copy()
    select(candidates)[:] = 0
    np.testing.assert_array_equal(candidates, before)


@pytest.mark.parametrize("class_agnostic", [False, True])
@pytest.mark.parametrize("whole_numbers", [False, True])
@pytest.mark.parametrize("seed", range(12))
def test_equals_the_definition(seed: int, whole_numbers: bool, class_agnostic: bool) -> None:
    rng = np.random.default_rng(seed)
    count, classes = int(rng.integers(0, 301)), int(rng.integers(1, 8))
    candidates = np.empty((count, 6), np.float32)
    candidates[:, :2] = rng.uniform(-20, 60 if seed % 2 else 400, (count, 2))
    candidates[:, 2:4] = candidates[:, :2] + rng.uniform(-2, 60, (count, 2))
    candidates[:, 4] = rng.uniform(0, 1, count)
    candidates[:, 5] = rng.integers(0, classes, count)
    if whole_numbers:
        candidates[:, :4] = candidates[:, :4].round()
        candidates[:, 4] = candidates[:, 4].round(1)
    thresholds = rng.uniform(0, 0.6, classes).astype(np.float32)
    iou_threshold, most = float(rng.choice([0.0, 0.3, 0.5, 0.7, 1.0])), int(rng.choice([5, 100, 300]))
    kept = select_detections(
        candidates,
        thresholds=thresholds,
        iou_threshold=iou_threshold,
        class_agnostic=class_agnostic,
        max_detections=most,
    )
    np.testing.assert_array_equal(kept, naive(candidates, thresholds, iou_threshold, class_agnostic, most))
