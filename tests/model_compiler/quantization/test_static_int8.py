from pathlib import Path

import numpy as np
import onnx
import openvino
import pytest
from onnx import numpy_helper

from contracts.quantization import Scheme
from model_compiler.engines.errors import UnsupportedByRuntime
from model_compiler.engines.tensorrt_graph import for_tensorrt
from model_compiler.errors import UnsupportedModel
from model_compiler.quantization.calibrate import calibrate
from model_compiler.quantization.calibration_cache import CalibrationCache
from model_compiler.quantization.errors import CalibrationOfAnotherModel, NoSuchNode
from model_compiler.quantization.output_fidelity import channel_sqnr_db
from model_compiler.quantization.settings import QuantizationSettings
from model_compiler.quantization.static_int8 import quantize_static
from tests.model_compiler.quantization.small_networks import RandomFrames, batch, classifier, detector, run

SCHEMES: tuple[Scheme, ...] = ("u8s8", "s8s8", "u8s8-symmetric")


def cache_of(model: bytes) -> CalibrationCache:
    return calibrate(model, RandomFrames(), QuantizationSettings(frames=Path("unused"), method="min-max"))


def zero_points(model: bytes) -> list[np.ndarray[tuple[int, ...], np.dtype[np.generic]]]:
    graph = onnx.load_from_string(model).graph
    weights = {weight.name: numpy_helper.to_array(weight) for weight in graph.initializer}
    return [weights[node.input[2]] for node in graph.node if node.op_type in {"QuantizeLinear", "DequantizeLinear"}]


def readers_of_quantized(model: bytes) -> set[str]:
    """Nodes that read at least one dequantised tensor."""
    graph = onnx.load_from_string(model).graph
    quantized = {node.output[0] for node in graph.node if node.op_type == "DequantizeLinear"}
    return {node.name for node in graph.node if quantized.intersection(node.input)}


@pytest.mark.parametrize("scheme", SCHEMES)
def test_the_graph_stays_valid_standard_onnx_and_near_the_float_one(scheme: Scheme) -> None:
    model = detector()
    quantized = quantize_static(model, cache_of(model), scheme).model
    parsed = onnx.load_from_string(quantized)
    onnx.checker.check_model(parsed, full_check=True)
    assert {entry.domain for entry in parsed.opset_import} == {""}
    assert channel_sqnr_db(run(model, batch()), run(quantized, batch())).min() > 20


@pytest.mark.parametrize("scheme", SCHEMES)
def test_openvino_computes_the_same(scheme: Scheme) -> None:
    model = detector()
    quantized = quantize_static(model, cache_of(model), scheme).model
    core = openvino.Core()
    compiled = core.compile_model(core.read_model(quantized), "CPU", {"INFERENCE_NUM_THREADS": 1})
    assert channel_sqnr_db(run(model, batch()), np.array(compiled([batch()])[0])).min() > 20


def test_tensorrt_takes_the_signed_form_only() -> None:
    model = detector()
    signed, unsigned = (quantize_static(model, cache_of(model), scheme).model for scheme in SCHEMES[1:])
    assert for_tensorrt(signed) == signed
    with pytest.raises(UnsupportedByRuntime, match="uint8"):
        for_tensorrt(unsigned)


def test_one_cache_gives_both_forms() -> None:
    model = detector()
    cache = cache_of(model)
    unsigned, signed, symmetric = (quantize_static(model, cache, scheme) for scheme in SCHEMES)
    assert {array.dtype for array in zero_points(signed.model)} == {np.dtype(np.int8)}
    assert not any(array.any() for array in zero_points(signed.model))
    assert np.dtype(np.uint8) in {array.dtype for array in zero_points(unsigned.model)}
    assert not any(array.any() for array in zero_points(symmetric.model))
    assert np.dtype(np.uint8) in {array.dtype for array in zero_points(symmetric.model)}
    assert tuple(quantized.facts.scheme for quantized in (unsigned, signed, symmetric)) == SCHEMES
    assert signed.facts.quantized_nodes == 3
    assert signed.facts.calibration_sha256 == "5" * 64


def test_biases_of_the_symmetric_form_stay_float_and_rectifiers_stay_at_their_layer() -> None:
    model = detector()
    graph = onnx.load_from_string(quantize_static(model, cache_of(model), "s8s8").model).graph
    floats = {weight.name for weight in graph.initializer if weight.data_type == onnx.TensorProto.FLOAT}
    makers = {name: node for node in graph.node for name in node.output}
    layers = [node for node in graph.node if node.op_type == "Conv"]
    assert all(layer.input[2] in floats for layer in layers)
    rectifiers = [node for node in graph.node if node.op_type == "Relu"]
    assert len(rectifiers) == 3
    assert all(makers[node.input[0]].op_type == "Conv" for node in rectifiers)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_the_head_of_a_detector_stays_float_and_its_best_score_survives(scheme: Scheme) -> None:
    model = detector()
    quantized = quantize_static(model, cache_of(model), scheme).model
    touched = readers_of_quantized(quantized)
    assert not touched.intersection({"unit_boxes", "box_pixels", "probabilities", "predictions"})
    kept = {weight.name for weight in onnx.load_from_string(quantized).graph.initializer}
    assert {"box_predict.weight", "score_predict.weight"} <= kept
    expected, actual = (run(one, batch())[:, 4:] for one in (model, quantized))
    np.testing.assert_allclose(actual.max(axis=(1, 2)), expected.max(axis=(1, 2)), atol=0.05)


def test_a_quantised_head_would_lose_every_score() -> None:
    """Why it stays float: one step of 8 bits over boxes in pixels is larger than any score."""
    rows = run(detector(), batch())
    step = (rows.max() - min(0.0, float(rows.min()))) / 255
    assert rows[:, 4:].max() > 0.5
    assert not np.round(rows[:, 4:] / step).any()


def test_a_classifier_keeps_its_last_layer_only_when_asked() -> None:
    model = classifier()
    cache = cache_of(model)
    assert quantize_static(model, cache, "u8s8", task="classification").facts.quantized_nodes == 4
    assert (
        quantize_static(model, cache, "u8s8", task="classification", float_classifier=True).facts.quantized_nodes == 3
    )


def test_nodes_are_kept_float_by_name() -> None:
    model = detector()
    quantized = quantize_static(model, cache_of(model), "u8s8", float_nodes=["stem"])
    assert quantized.facts.float_nodes == ("stem",)
    assert quantized.facts.quantized_nodes == 2
    with pytest.raises(NoSuchNode, match="'stem'"):
        quantize_static(model, cache_of(model), "u8s8", float_nodes=["steam"])


def test_the_same_arguments_give_the_same_bytes() -> None:
    model = detector()
    assert (
        quantize_static(model, cache_of(model), "u8s8").model == quantize_static(model, cache_of(model), "u8s8").model
    )


def test_ranges_of_another_model_are_refused() -> None:
    with pytest.raises(CalibrationOfAnotherModel, match="calibrate again"):
        quantize_static(classifier(), cache_of(detector()), "u8s8")


def test_a_network_whose_layers_all_stay_float_is_refused() -> None:
    model = detector()
    with pytest.raises(UnsupportedModel, match="nothing is left"):
        quantize_static(model, cache_of(model), "u8s8", float_nodes=["stem", "inner", "neck"])
