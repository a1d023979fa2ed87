from typing import Any

import pytest

from triton_backends.tensor_spec import DYNAMIC, ModelMismatch, TensorSpec, configured_tensors

IMAGES = TensorSpec("images", "TYPE_UINT8", (DYNAMIC, 320, 416, 3))


def entry(**changes: Any) -> dict[str, Any]:
    return {"name": "images", "data_type": "TYPE_UINT8", "dims": [320, 416, 3], **changes}


def test_batched_tensor_is_one_row() -> None:
    assert configured_tensors("input", [entry()], [IMAGES], batched=True) == (
        TensorSpec("images", "TYPE_UINT8", (1, 320, 416, 3)),
    )


def test_unbatched_tensor_has_the_configured_shape() -> None:
    found = configured_tensors("input", [entry(dims=[4, 320, 416, 3])], [IMAGES], batched=False)
    assert found[0].shape == (4, 320, 416, 3)


def test_sizes_unknown_to_the_configuration_come_from_the_model() -> None:
    found = configured_tensors("input", [entry(dims=[-1, -1, 3])], [IMAGES], batched=True)
    assert found[0].shape == (1, 320, 416, 3)


def test_tensors_come_in_the_order_of_the_configuration() -> None:
    model = [TensorSpec("a", "TYPE_FP32", (1,)), TensorSpec("b", "TYPE_FP32", (1,))]
    config = [{"name": name, "data_type": "TYPE_FP32", "dims": [1]} for name in ("b", "a")]
    assert [spec.name for spec in configured_tensors("input", config, model, batched=False)] == ["b", "a"]


def test_an_output_may_be_left_out() -> None:
    assert configured_tensors("output", [], [IMAGES], batched=True) == ()


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ([entry(name="image")], "config.pbtxt has input 'image', the model has 'images'"),
        ([], "the model needs input 'images', which config.pbtxt does not have"),
        ([entry(data_type="TYPE_FP32")], "input 'images' is TYPE_FP32 in config.pbtxt, TYPE_UINT8 in the model"),
        (
            [entry(dims=[640, 416, 3])],
            "input 'images' is ['batch', 640, 416, 3] in config.pbtxt, [-1, 320, 416, 3] in the model",
        ),
        ([entry(dims=[3])], "input 'images' is ['batch', 3] in config.pbtxt, [-1, 320, 416, 3] in the model"),
    ],
)
def test_a_mismatch_is_named(config: list[dict[str, Any]], message: str) -> None:
    with pytest.raises(ModelMismatch) as caught:
        configured_tensors("input", config, [IMAGES], batched=True)
    assert str(caught.value) == message
