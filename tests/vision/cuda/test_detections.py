"""Selection on the device against `vision.heads` with `vision.nms`: the same rows."""

from typing import Any

import numpy as np
import pytest
from numba import cuda
from numpy.typing import NDArray

from tests.vision.cuda.conftest import HAS_GPU
from vision.cuda.detections import DeviceSelector, HeadLayout
from vision.errors import InvalidModelOutput
from vision.heads import decode_yolov5, decode_yolov8
from vision.nms import select_detections

pytestmark = pytest.mark.long
Rows = NDArray[np.float32]

LABELS, ANCHORS, TOP = 3, 50, 35
THRESHOLDS = np.array([0.3, 0.5, 0.2], np.float32)


def head(layout: HeadLayout, seed: int) -> Rows:
    """Crowded boxes; many scores are equal."""
    rng = np.random.default_rng(seed)
    boxes = np.concatenate([rng.uniform(0, 100, (ANCHORS, 2)), rng.uniform(5, 40, (ANCHORS, 2))], axis=1)
    scores = rng.integers(0, 8, (ANCHORS, LABELS)) / 8
    columns = [boxes, scores]
    if layout == "yolov5":
        columns = [boxes, rng.uniform(0.5, 1, (ANCHORS, 1)), scores]
    elif layout == "candidates":
        corners = [boxes[:, :2] - boxes[:, 2:] / 2, boxes[:, :2] + boxes[:, 2:] / 2]
        columns = [*corners, scores[:, :1], rng.integers(0, LABELS, (ANCHORS, 1))]
    rows: Rows = np.concatenate(columns, axis=1).astype(np.float32)
    return np.ascontiguousarray(rows.T) if layout == "yolov8" else rows


def candidates(layout: HeadLayout, output: Rows) -> Rows:
    decoders = {"yolov8": decode_yolov8, "yolov5": decode_yolov5}
    return decoders[layout](output, TOP) if layout in decoders else output


def on_the_device(
    layout: HeadLayout, output: Rows, *, class_agnostic: bool = False, most: int = 20, thresholds: Rows = THRESHOLDS
) -> Rows:
    selector = DeviceSelector(layout, output.shape, LABELS, top=TOP)
    return selector.select(
        cuda.to_device(output),
        thresholds=thresholds,
        iou_threshold=0.45,
        class_agnostic=class_agnostic,
        max_detections=most,
    )


@pytest.mark.parametrize("most", [7, 300])
@pytest.mark.parametrize("class_agnostic", [False, True])
@pytest.mark.parametrize("layout", ["candidates", "yolov8", "yolov5"])
def test_equals_the_cpu_path(layout: HeadLayout, class_agnostic: bool, most: int) -> None:
    output = head(layout, most)
    expected = select_detections(
        candidates(layout, output),
        thresholds=THRESHOLDS,
        iou_threshold=0.45,
        class_agnostic=class_agnostic,
        max_detections=most,
    )
    found = on_the_device(layout, output, class_agnostic=class_agnostic, most=most)
    assert len(expected) > 5
    np.testing.assert_array_equal(found, expected)


def selected(selector: DeviceSelector, output: Any, thresholds: Rows = THRESHOLDS) -> Rows:
    return selector.select(output, thresholds=thresholds, iou_threshold=0.45, class_agnostic=False, max_detections=20)


def test_one_selector_is_used_again() -> None:
    selector = DeviceSelector("yolov8", (4 + LABELS, ANCHORS), LABELS, top=TOP)
    found = [selected(selector, cuda.to_device(head("yolov8", seed))) for seed in (3, 4, 3)]
    np.testing.assert_array_equal(found[0], found[2])
    assert not np.array_equal(found[0], found[1])


def test_what_was_wrong_with_one_output_is_not_said_of_the_next() -> None:
    selector = DeviceSelector("yolov8", (4 + LABELS, ANCHORS), LABELS, top=TOP)
    good, bad = head("yolov8", 6), head("yolov8", 6)
    bad[5, 11] = np.nan
    expected = selected(selector, cuda.to_device(good))
    with pytest.raises(InvalidModelOutput, match="anchor 11"):
        selected(selector, cuda.to_device(bad))
    nothing = np.full(LABELS, 0.99, np.float32)
    assert len(selected(selector, cuda.to_device(good), nothing)) == 0
    again = selected(selector, cuda.to_device(good))
    np.testing.assert_array_equal(again, expected)


def test_thresholds_of_other_classes_are_refused() -> None:
    with pytest.raises(ValueError, match="2 thresholds, and 3 classes were told"):
        on_the_device("yolov8", head("yolov8", 5), thresholds=THRESHOLDS[:2])


@pytest.mark.gpu
@pytest.mark.skipif(not HAS_GPU, reason="no NVIDIA GPU here")
def test_a_selection_allocates_nothing_on_the_gpu() -> None:
    selector = DeviceSelector("yolov8", (4 + LABELS, ANCHORS), LABELS, top=TOP)
    output = cuda.to_device(head("yolov8", 3))
    selected(selector, output)
    deallocations = cuda.current_context().memory_manager.deallocations
    with cuda.defer_cleanup():
        before = len(deallocations)
        for _ in range(5):
            selected(selector, output)
        assert len(deallocations) == before


def test_nothing_is_sure_enough() -> None:
    found = on_the_device("yolov8", head("yolov8", 5), thresholds=np.full(LABELS, 0.99, np.float32))
    assert found.shape == (0, 6)


def test_a_score_that_is_no_number_is_an_error() -> None:
    output = head("yolov8", 6)
    output[5, 11] = np.nan
    with pytest.raises(InvalidModelOutput, match="anchor 11"):
        on_the_device("yolov8", output)


def test_a_box_that_is_no_number_is_an_error_where_it_counts() -> None:
    output = head("candidates", 7)
    output[:, 4] = 0.1
    output[9, 4] = 0.9
    output[3, 0] = np.inf
    assert len(on_the_device("candidates", output)) == 1
    output[9, 2] = np.inf
    with pytest.raises(InvalidModelOutput, match="box of candidate 0"):
        on_the_device("candidates", output)


def test_a_class_that_the_card_does_not_have_is_an_error() -> None:
    output = head("candidates", 8)
    output[output[:, 4].argmax(), 5] = LABELS
    with pytest.raises(InvalidModelOutput, match="candidate 0 has a class"):
        on_the_device("candidates", output)


@pytest.mark.parametrize(
    ("layout", "shape"), [("yolov8", (8, 50)), ("yolov5", (50, 7)), ("candidates", (50, 5)), ("yolov8", (7,))]
)
def test_a_shape_that_is_no_such_head_is_refused(layout: HeadLayout, shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="is no"):
        DeviceSelector(layout, shape, LABELS)


def test_more_candidates_than_can_be_compared_are_refused() -> None:
    with pytest.raises(ValueError, match="1 to 2048"):
        DeviceSelector("candidates", (2049, 6), LABELS)


def test_an_output_of_another_shape_is_refused() -> None:
    selector = DeviceSelector("yolov8", (4 + LABELS, ANCHORS), LABELS)
    with pytest.raises(ValueError, match="was told"):
        selected(selector, cuda.to_device(head("yolov5", 0)))
