"""Preparation and decoding as a card asks, on literal arrays."""

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from contracts.model_card import InputSpec, ModelCard, NmsSpec, OutputSpec, Thresholds
from gateway.errors import InvalidModelOutput
from gateway.frames.decoding import Decoder
from gateway.frames.preparation import prepare_input, prepared_alike
from vision.letterbox import Placement

AS_SENT = Placement(scale_x=1.0, scale_y=1.0, offset_x=0, offset_y=0, frame_width=100, frame_height=100)


def card(**changes: object) -> ModelCard:
    base = {"model": "m", "version": "1.0.0", "hardware_class": "c", "labels": ["a", "b"]}
    return ModelCard.model_validate(base | {"input": InputSpec(width=8, height=8)} | changes)


def candidates(*rows: tuple[float, ...]) -> NDArray[np.float32]:
    return np.array(rows, dtype=np.float32).reshape(-1, 6)


def test_thresholds_by_label() -> None:
    decoder = Decoder(card(thresholds=Thresholds(default=0.5, by_label={"b": 0.8})))
    rows = candidates(
        (0, 0, 10, 10, 0.6, 0), (20, 20, 30, 30, 0.7, 1), (40, 40, 50, 50, 0.9, 1), (60, 60, 70, 70, 0.4, 0)
    )
    boxes, scores, classes = decoder.decode(rows, AS_SENT)
    assert classes.tolist() == [1, 0]
    assert scores.tolist() == pytest.approx([0.9, 0.6])
    assert boxes.tolist() == [[40, 40, 50, 50], [0, 0, 10, 10]]
    assert classes.dtype == np.int32


def test_the_request_s_threshold_holds_for_every_class() -> None:
    decoder = Decoder(card(thresholds=Thresholds(default=0.5, by_label={"b": 0.8})))
    rows = candidates((0, 0, 10, 10, 0.1, 0), (20, 20, 30, 30, 0.2, 1))
    assert len(decoder.decode(rows, AS_SENT, threshold=0.15)[1]) == 1


def test_classes_do_not_suppress_each_other_unless_the_card_says_so() -> None:
    rows = candidates((0, 0, 10, 10, 0.9, 0), (0, 0, 10, 10, 0.8, 1))
    assert len(Decoder(card()).decode(rows, AS_SENT)[1]) == 2
    assert len(Decoder(card(nms=NmsSpec(class_agnostic=True))).decode(rows, AS_SENT)[1]) == 1
    assert len(Decoder(card(nms=NmsSpec(max_detections=1))).decode(rows, AS_SENT)[1]) == 1


def test_boxes_go_back_through_the_letterbox_and_are_clipped() -> None:
    placement = Placement(scale_x=0.5, scale_y=0.5, offset_x=4, offset_y=0, frame_width=100, frame_height=60)
    boxes, _, _ = Decoder(card()).decode(candidates((4, 0, 14, 40, 0.9, 0)), placement)
    assert boxes.tolist() == [[0, 0, 20, 60]]


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_numbers_that_are_none_are_an_error_of_the_model(value: float) -> None:
    with pytest.raises(InvalidModelOutput, match=r"m-1\.0\.0_c"):
        Decoder(card()).decode(candidates((0, 0, 10, 10, value, 0)), AS_SENT)


def test_an_ungrafted_head_is_decoded_here() -> None:
    output = np.zeros((6, 3), dtype=np.float32)
    output[:, 1] = (50, 50, 20, 10, 0.1, 0.9)
    boxes, scores, classes = Decoder(card(output=OutputSpec(name="predictions", decoder="yolov8"))).decode(
        output, AS_SENT
    )
    assert boxes.tolist() == [[40, 45, 60, 55]]
    assert classes.tolist() == [1]
    assert scores.tolist() == pytest.approx([0.9])


PNG = cv2.imencode(".png", np.full((16, 16, 3), (10, 20, 30), dtype=np.uint8))[1].tobytes()  # BGR


@pytest.mark.parametrize(("color", "expected"), [("rgb", [30, 20, 10]), ("bgr", [10, 20, 30])])
def test_pixels_are_written_in_the_card_s_order(color: str, expected: list[int]) -> None:
    spec = InputSpec.model_validate({"width": 8, "height": 8, "color": color})
    out = np.zeros(spec.shape, dtype=np.uint8)
    prepare_input(PNG, spec, out, 1000)
    assert out[0, 4, 4].tolist() == expected


def test_floats_are_normalised_and_laid_out_in_planes() -> None:
    spec = InputSpec(
        width=8, height=8, datatype="FP32", layout="NCHW", scale=1 / 255, mean=(0.1, 0.2, 0.3), std=(0.5, 0.25, 2.0)
    )
    out = np.zeros(spec.shape, dtype=np.float32)
    prepare_input(PNG, spec, out, 1000)
    expected = [(30 / 255 - 0.1) / 0.5, (20 / 255 - 0.2) / 0.25, (10 / 255 - 0.3) / 2.0]
    assert out[0, :, 4, 4].tolist() == pytest.approx(expected, abs=1e-6)


def test_stretch_fills_the_input() -> None:
    wide = cv2.imencode(".png", np.full((8, 32, 3), 200, dtype=np.uint8))[1].tobytes()
    stretched = np.zeros((1, 8, 8, 3), dtype=np.uint8)
    prepare_input(wide, InputSpec(width=8, height=8, mode="stretch"), stretched, 1000)
    assert (stretched == 200).all()
    boxed = np.zeros((1, 8, 8, 3), dtype=np.uint8)
    prepare_input(wide, InputSpec(width=8, height=8, pad_value=7), boxed, 1000)
    assert (boxed[0, 0] == 7).all()
    assert (boxed[0, 4] == 200).all()


@pytest.mark.parametrize(
    ("changes", "alike"),
    [
        ({"name": "input"}, True),
        ({"mean": (0.5, 0.5, 0.5), "std": (0.2, 0.2, 0.2), "scale": 1.0}, True),  # inside the graph
        ({"mode": "stretch"}, False),
        ({"pad_value": 0}, False),
        ({"color": "bgr"}, False),
        ({"width": 16}, False),
        ({"datatype": "FP32"}, False),
    ],
)
def test_tensors_that_two_builds_can_share(changes: dict[str, object], alike: bool) -> None:
    pixels = InputSpec(width=8, height=8)
    assert prepared_alike(pixels, InputSpec.model_validate(pixels.model_dump() | changes)) is alike


def test_floats_are_shared_only_where_they_are_normalised_alike() -> None:
    floats = InputSpec(width=8, height=8, datatype="FP32", layout="NCHW")
    assert prepared_alike(floats, floats.model_copy(update={"name": "x"}))
    assert not prepared_alike(floats, floats.model_copy(update={"mean": (0.5, 0.5, 0.5)}))
