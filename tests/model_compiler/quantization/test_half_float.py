import numpy as np
import onnx
import openvino
import pytest

from model_compiler.errors import NotOnnx, UnexpectedTensor
from model_compiler.quantization.half_float import to_float16
from tests.model_compiler.quantization.small_networks import batch, classifier, detector, run


def test_weights_are_half_and_results_near() -> None:
    model = detector()
    half = to_float16(model)
    assert len(half) < 0.75 * len(model)
    graph = onnx.load_from_string(half).graph
    assert {value.type.tensor_type.elem_type for value in [*graph.input, *graph.output]} == {onnx.TensorProto.FLOAT}
    expected, actual = run(model, batch()), run(half, batch())
    np.testing.assert_allclose(actual[:, 4:], expected[:, 4:], atol=0.01)
    np.testing.assert_allclose(actual[:, :4], expected[:, :4], atol=2)


def test_nothing_is_rounded_between_the_layers_of_the_decoding() -> None:
    """Boxes of 640 px have steps of 0.5 in FP16."""
    boxes = run(to_float16(detector()), batch())[:, :4]
    large = boxes[boxes > 256]
    assert large.size
    assert (large != large.astype(np.float16)).mean() > 0.9


def test_openvino_takes_it() -> None:
    core = openvino.Core()
    compiled = core.compile_model(core.read_model(to_float16(classifier())), "CPU")
    np.testing.assert_allclose(np.array(compiled([batch()])[0]), run(classifier(), batch()), atol=0.05)


def test_the_same_model_gives_the_same_bytes() -> None:
    assert to_float16(detector()) == to_float16(detector())


def test_bad_models_are_refused() -> None:
    with pytest.raises(NotOnnx):
        to_float16(b"no model")
    with pytest.raises(UnexpectedTensor, match="images"):
        to_float16(detector(picture=("batch", 3, None, None)))
