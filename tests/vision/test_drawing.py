import numpy as np
import pytest

from vision.drawing import class_color, draw_detections, draw_label

LABELS = ["scratch", "pit"]


def test_a_box_is_drawn_in_the_color_of_its_class() -> None:
    rgb = np.zeros((400, 600, 3), np.uint8)
    drawn = draw_detections(
        rgb, np.array([[100, 200, 300, 350]], np.float32), np.array([0.5], np.float32), np.array([1]), LABELS
    )
    assert drawn[275, 100].tolist() == list(class_color(1))
    assert drawn[350, 200].tolist() == list(class_color(1))
    assert drawn[275, 200].tolist() == [0, 0, 0]
    assert (drawn[180:199, 100:140] != 0).any()
    assert (rgb == 0).all()


def test_the_best_is_on_top() -> None:
    boxes = np.array([[100, 200, 300, 350]] * 2, np.float32)
    drawn = draw_detections(
        np.zeros((400, 600, 3), np.uint8), boxes, np.array([0.9, 0.5], np.float32), np.array([0, 1]), LABELS
    )
    assert drawn[275, 100].tolist() == list(class_color(0))


@pytest.mark.parametrize("shape", [(1, 1, 3), (20, 30, 3), (3000, 4000, 3)])
def test_any_frame_size_and_boxes_at_the_edges(shape: tuple[int, int, int]) -> None:
    height, width = shape[:2]
    boxes = np.array([[0, 0, width, height], [width - 1, height - 1, width, height], [0, 0, 0, 0]], np.float32)
    drawn = draw_detections(
        np.zeros(shape, np.uint8), boxes, np.array([0.9, 0.8, 0.7], np.float32), np.array([0, 1, 7]), LABELS
    )
    assert drawn.shape == shape
    assert drawn.any()


def test_no_detections_leave_the_frame_as_it_is() -> None:
    rgb = np.random.default_rng(0).integers(0, 255, (40, 60, 3), dtype=np.uint8)
    nothing = np.empty(0, np.float32)
    drawn = draw_detections(rgb, np.empty((0, 4), np.float32), nothing, np.empty(0, np.int64), LABELS)
    np.testing.assert_array_equal(drawn, rgb)
    assert drawn is not rgb


def test_colors_of_neighbouring_classes_differ_clearly() -> None:
    for index in range(24):
        first, second = np.array(class_color(index)), np.array(class_color(index + 1))
        assert np.abs(first - second).sum() > 100


@pytest.mark.parametrize("shape", [(480, 640, 3), (8, 8, 3)])
def test_a_label_is_written_on_the_color_of_its_class(shape: tuple[int, int, int]) -> None:
    frame = np.full(shape, 128, np.uint8)
    drawn = draw_label(frame, "pass 0.97", 2)
    assert tuple(drawn[0, 0]) == class_color(2)
    assert (frame == 128).all()
    if shape[0] > 100:
        assert (drawn[100:] == 128).all()
