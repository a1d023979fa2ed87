import numpy as np
import pytest

from model_training.frame_distribution import DEFECT_CLASSES, DISTRIBUTION, SIZES, SPLIT_SEEDS
from model_training.frame_generator import generate_frame
from model_training.frame_plan import FramePlan, plan_frame

PLANS = 4000


@pytest.fixture(scope="module")
def plans() -> list[FramePlan]:
    return [plan_frame(np.random.default_rng([5, index]), DISTRIBUTION) for index in range(PLANS)]


def test_a_frame_is_a_function_of_seed_and_index() -> None:
    first, again = generate_frame(3, 17), generate_frame(3, 17)
    assert np.array_equal(first.bgr, again.bgr)
    assert first.labels == again.labels
    assert first.jpeg() == again.jpeg()


@pytest.mark.parametrize(("seed", "index"), [(4, 17), (3, 18)])
def test_other_arguments_give_other_frames(seed: int, index: int) -> None:
    assert not np.array_equal(generate_frame(3, 17).bgr, generate_frame(seed, index).bgr)


def test_splits_have_seeds_of_their_own() -> None:
    assert len(set(SPLIT_SEEDS.values())) == len(SPLIT_SEEDS)


def test_at_least_forty_percent_of_frames_are_clean(plans: list[FramePlan]) -> None:
    assert np.mean([plan.clean for plan in plans]) >= 0.40


def test_at_least_fifteen_percent_of_frames_are_hard(plans: list[FramePlan]) -> None:
    assert np.mean([plan.hard_kind is not None for plan in plans]) >= 0.15


def test_clean_frames_are_hard_as_often_as_others(plans: list[FramePlan]) -> None:
    clean = [plan.hard_kind is not None for plan in plans if plan.clean]
    assert np.mean(clean) == pytest.approx(DISTRIBUTION.hard_share, abs=0.04)


def test_all_classes_occur_about_equally(plans: list[FramePlan]) -> None:
    classes = [defect.class_index for plan in plans for defect in plan.defects]
    shares = np.bincount(classes, minlength=len(DEFECT_CLASSES)) / len(classes)
    assert shares == pytest.approx(np.full(6, 1 / 6), abs=0.02)


def test_planned_sizes_stay_in_their_range(plans: list[FramePlan]) -> None:
    for plan in plans:
        for defect in plan.defects:
            sizes = SIZES[DEFECT_CLASSES[defect.class_index]]
            low, high = sizes.tiny_px if plan.hard_kind == "tiny" else sizes.normal_px
            assert low <= defect.extent_px <= high


def test_the_smallest_defects_are_eight_pixels_at_model_size() -> None:
    smallest = min(sizes.tiny_px[0] for sizes in SIZES.values())
    assert smallest * 416 / 1280 == pytest.approx(8.1, abs=0.1)


def test_labels_lie_in_the_frame_and_are_wide_enough() -> None:
    frames = [generate_frame(21, index) for index in range(24)]
    boxes = np.array([label.box_xyxy for frame in frames for label in frame.labels])
    assert len(boxes) > 10
    assert boxes.min() >= 0
    assert boxes[:, [0, 2]].max() <= 1280
    assert boxes[:, [1, 3]].max() <= 960
    at_rim = (boxes[:, :2].min(axis=1) == 0) | (boxes[:, 2] == 1280) | (boxes[:, 3] == 960)
    sides = boxes[:, 2:] - boxes[:, :2]
    assert sides[~at_rim].min() >= DISTRIBUTION.min_box_side_px - 1e-6


def test_a_clean_frame_has_no_labels_and_others_get_what_was_planned() -> None:
    frames = [generate_frame(22, index) for index in range(24)]
    assert all(not frame.labels for frame in frames if frame.plan.clean)
    planned = sum(len(frame.plan.defects) for frame in frames)
    assert sum(len(frame.labels) for frame in frames) >= 0.9 * planned


def test_a_defect_changes_the_picture_inside_its_box_only_little_outside() -> None:
    frame = next(frame for frame in (generate_frame(23, index) for index in range(40)) if frame.labels)
    x1, y1, x2, y2 = (int(value) for value in frame.labels[0].box_xyxy)
    assert frame.bgr[y1:y2, x1:x2].std() > 0


def test_jpeg_is_a_camera_frame_of_moderate_size() -> None:
    data = generate_frame(24, 0).jpeg()
    assert data[:2] == b"\xff\xd8"
    assert 30_000 < len(data) < 900_000
