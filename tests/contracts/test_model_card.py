from typing import Any

import pytest
from pydantic import ValidationError

from contracts.model_card import InputSpec, ModelCard

SMALLEST: dict[str, Any] = {
    "model": "defects",
    "version": "1.0.0",
    "hardware_class": "x86-cpu",
    "labels": ["pit", "crack"],
    "input": {"width": 416, "height": 320},
}


def test_the_smallest_card_has_sensible_defaults() -> None:
    card = ModelCard.model_validate(SMALLEST)
    assert card.build == "defects-1.0.0_x86-cpu"
    assert card.input.shape == (1, 320, 416, 3)
    assert card.input.size_bytes == 320 * 416 * 3
    assert card.output.decoder == "candidates"
    assert (card.built_at, card.parameter_reduction) == (None, None)


def test_floats_and_planes_change_shape_and_size() -> None:
    spec = InputSpec(width=416, height=320, datatype="FP32", layout="NCHW")
    assert spec.shape == (1, 3, 320, 416)
    assert spec.size_bytes == 320 * 416 * 3 * 4


def test_unknown_fields_survive_the_way_through() -> None:
    card = ModelCard.model_validate(SMALLEST | {"watts": 7})
    assert ModelCard.model_validate_json(card.model_dump_json()) == card
    assert '"watts":7' in card.model_dump_json()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"labels": []}, "labels"),
        ({"labels": ["pit", "pit"]}, "labels must differ"),
        ({"thresholds": {"by_label": {"rust": 0.5}}}, "not among the labels"),
        ({"thresholds": {"default": 1.5}}, "thresholds.default"),
        ({"version": "1.0"}, "build name"),
        ({"model": "Defects"}, "build name"),
        ({"input": {"width": 0, "height": 1}}, "input.width"),
        ({"input": {"width": 1, "height": 1, "std": [1, 0, 1]}}, "std must not contain 0"),
        ({"nms": {"max_detections": 301}}, "max_detections"),
        ({"files": {"1/model.onnx": "abc"}}, "files"),
        ({"schema_version": 2}, "schema_version"),
        ({"built_at": "2026-04-16T10:32:00"}, "timezone"),
        ({"parameter_reduction": 45}, "parameter_reduction"),
    ],
)
def test_what_is_wrong_is_named(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError) as caught:
        ModelCard.model_validate(SMALLEST | change)
    assert message in str(caught.value)


def test_a_card_cannot_be_changed() -> None:
    card = ModelCard.model_validate(SMALLEST)
    with pytest.raises(ValidationError):
        card.model = "other"  # type: ignore[misc]
