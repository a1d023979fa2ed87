"""Ways to run a model."""

import pytest
from pydantic import ValidationError

from model_compiler.selection import baseline_of
from model_compiler.variant import Backend, BuildVariant


def variant(name: str) -> BuildVariant:
    kind, _, backend = name.rpartition("-")
    return BuildVariant.model_validate({"variant": kind, "backend": backend})


@pytest.mark.parametrize(
    ("backend", "kind"), [("onnxruntime", "bf16"), ("openvino", "int4-weights"), ("tensorrt", "int8-dynamic")]
)
def test_a_backend_refuses_what_it_does_not_run(backend: Backend, kind: str) -> None:
    with pytest.raises(ValidationError, match=f"does not run variant '{kind}'"):
        BuildVariant.model_validate({"variant": kind, "backend": backend})


def test_names_and_schemes() -> None:
    assert str(variant("int8-onnxruntime")) == "int8-onnxruntime"
    assert variant("int8-onnxruntime").scheme == "u8s8"
    assert variant("int8-openvino").scheme == "u8s8-symmetric"
    assert variant("int8-tensorrt").scheme == "s8s8"
    assert [variant(name).precision for name in ("f32-openvino", "bf16-openvino", "f32-onnxruntime")] == [
        "f32",
        "auto",
        "f32",
    ]


def test_each_variant_is_compared_with_the_float_one_of_its_backend() -> None:
    all_of_them = [variant(name) for name in ("bf16-openvino", "f32-onnxruntime", "f32-openvino", "int8-openvino")]
    assert baseline_of(variant("int8-openvino"), all_of_them) == "f32-openvino"
    assert baseline_of(variant("int8-openvino"), all_of_them[:2]) == "f32-onnxruntime"
    two = [variant("int8-onnxruntime"), variant("int8-openvino")]
    assert [baseline_of(each, two) for each in two] == ["int8-onnxruntime", "int8-openvino"]


def test_the_quantization_can_be_chosen_where_the_backend_takes_it() -> None:
    chosen = BuildVariant(variant="int8", backend="openvino", quantization="u8s8")
    assert (str(chosen), chosen.scheme, chosen.precision) == ("int8-openvino-u8s8", "u8s8", "auto")
    for wrong in (
        {"variant": "f32", "backend": "openvino", "quantization": "u8s8"},
        {"variant": "int8", "backend": "tensorrt", "quantization": "u8s8"},
    ):
        with pytest.raises(ValidationError, match="quantization"):
            BuildVariant.model_validate(wrong)


def test_openvino_may_take_bf16_only_where_the_variant_allows_it() -> None:
    names = ("f32", "f16", "bf16", "int8")
    assert [variant(f"{name}-openvino").precision for name in names] == ["f32", "f32", "auto", "auto"]
