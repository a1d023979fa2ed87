import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from contracts.model_card import InputSpec
from model_compiler.errors import NotOnnx, UnsupportedModel
from model_compiler.quantization.grafted_half_float import grafted_to_float16
from model_compiler.quantization.half_float import to_float16
from model_compiler.stages.graft import graft_detector
from tests.model_compiler.tiny_detectors import LARGE, TinyDetector, build, pixels, run

PLAIN_SCALE = InputSpec(width=LARGE.width, height=LARGE.height)
WITH_MEAN = PLAIN_SCALE.model_copy(update={"mean": (0.4, 0.5, 0.6), "std": (0.2, 0.3, 0.2)})


def grafted(spec: InputSpec, tiny: TinyDetector = LARGE) -> onnx.ModelProto:
    return graft_detector(build(tiny), spec, "yolov8")


def assert_near(half: onnx.ModelProto, whole: onnx.ModelProto) -> None:
    """The best boxes of one are among those of the other; nearly equal scores may change places."""
    got, wanted = (run(model, "onnxruntime", pixels(LARGE, 1))[0] for model in (half, whole))
    np.testing.assert_allclose(got[:, 4], wanted[:, 4], atol=2e-3)
    for row in wanted[:20]:
        assert np.abs(got[:, :4] - row[:4]).max(axis=1).min() < 0.2


@pytest.mark.parametrize("spec", [PLAIN_SCALE, WITH_MEAN], ids=["folded", "computed"])
def test_weights_are_half_and_answers_near(spec: InputSpec) -> None:
    whole = grafted(spec)
    half = onnx.load_model_from_string(grafted_to_float16(whole.SerializeToString()))
    assert_near(half, whole)
    large = [weight for weight in half.graph.initializer if np.prod(weight.dims) > 50]
    assert large
    assert {weight.data_type for weight in large} == {TensorProto.FLOAT16}
    assert [str(value) for value in half.graph.input] == [str(value) for value in whole.graph.input]
    assert [str(value) for value in half.graph.output] == [str(value) for value in whole.graph.output]


def test_small_first_weights_keep_their_digits() -> None:
    """A graft leaves weights of a 255th; halved, the smallest of them would have few digits, or none."""
    whole = grafted(PLAIN_SCALE)
    first = next(node for node in whole.graph.node if node.op_type == "Conv")
    weight = next(weight for weight in whole.graph.initializer if weight.name == first.input[1])
    exact = numpy_helper.to_array(weight) * np.float32(2.0**-8)
    weight.CopyFrom(numpy_helper.from_array(exact, weight.name))
    half = onnx.load_model_from_string(grafted_to_float16(whole.SerializeToString()))
    kept = next(
        numpy_helper.to_array(found).astype(np.float64) / 256.0
        for found in half.graph.initializer
        if tuple(found.dims) == exact.shape and found.data_type == TensorProto.FLOAT16
    )
    wanted = exact.astype(np.float64)
    seen = np.abs(wanted) > 1e-6
    errors = [np.abs((half - wanted)[seen] / wanted[seen]).max() for half in (kept, exact.astype(np.float16))]
    assert errors[0] < 2.0**-10 < errors[1]


def test_nothing_else_differs_from_converting_before_the_graft() -> None:
    """The same network, rounded in the same places, so that its answers are those of a recipe's build."""
    before = graft_detector(
        onnx.load_model_from_string(to_float16(build(LARGE).SerializeToString())), PLAIN_SCALE, "yolov8"
    )
    after = onnx.load_model_from_string(grafted_to_float16(grafted(PLAIN_SCALE).SerializeToString()))
    assert_near(after, before)


def test_the_same_model_gives_the_same_bytes() -> None:
    whole = grafted(PLAIN_SCALE).SerializeToString()
    assert grafted_to_float16(whole) == grafted_to_float16(whole)


def test_bad_models_are_refused() -> None:
    with pytest.raises(NotOnnx):
        grafted_to_float16(b"no model")
    bytes_only = helper.make_graph(
        [helper.make_node("Identity", ["images"], ["y"])],
        "bytes",
        [helper.make_tensor_value_info("images", TensorProto.UINT8, [1, 4, 4, 3])],
        [helper.make_tensor_value_info("y", TensorProto.UINT8, [1, 4, 4, 3])],
    )
    model = helper.make_model(bytes_only, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    with pytest.raises(UnsupportedModel, match="'images' does not become floats"):
        grafted_to_float16(model.SerializeToString())
