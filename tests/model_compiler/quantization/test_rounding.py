"""What Q/DQ nodes do to numbers, seen at the graphs that are emitted."""

from pathlib import Path

import numpy as np
import onnx
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from onnx import numpy_helper

from contracts.quantization import Scheme
from model_compiler.quantization.calibrate import calibrate
from model_compiler.quantization.settings import QuantizationSettings
from model_compiler.quantization.static_int8 import quantize_static
from tests.model_compiler.quantization.small_networks import NetworkBuilder, RandomFrames, classifier

BOUNDS = st.tuples(st.floats(-1000, 1000, width=32), st.floats(-1000, 1000, width=32)).filter(
    lambda pair: abs(pair[0] - pair[1]) > 0.01
)
SCHEMES = st.sampled_from(["u8s8", "s8s8"])


def network() -> bytes:
    net = NetworkBuilder()
    net.conv("images", "conv", 3, 4)
    return net.model("features", ["batch", 4, 32, 32])


MODEL = network()
CACHE = calibrate(MODEL, RandomFrames(), QuantizationSettings(frames=Path("unused"), method="min-max"))


def input_scale(scheme: Scheme, low: float, high: float) -> tuple[float, int]:
    """Scale and zero point of the first Q node when the input takes this range."""
    cache = CACHE.model_copy(update={"ranges": CACHE.ranges | {"images": (low, high)}})
    graph = onnx.load_from_string(quantize_static(MODEL, cache, scheme, task="classification").model).graph
    weights = {weight.name: numpy_helper.to_array(weight) for weight in graph.initializer}
    node = next(node for node in graph.node if node.op_type == "QuantizeLinear" and node.input[0] == "images")
    return float(weights[node.input[1]]), int(weights[node.input[2]])


def rounded(values: NDArray[np.float64], scale: float, zero: int, scheme: Scheme) -> NDArray[np.float64]:
    bounds = (0, 255) if scheme == "u8s8" else (-128, 127)
    return np.asarray((np.clip(np.round(values / scale) + zero, *bounds) - zero) * scale, np.float64)


@settings(max_examples=25, deadline=None)
@given(BOUNDS, SCHEMES)
def test_values_in_the_range_move_by_half_a_step_at_most(bounds: tuple[float, float], scheme: Scheme) -> None:
    low, high = sorted(bounds)
    scale, zero = input_scale(scheme, low, high)
    values = np.linspace(low, high, 257)
    steps = scale * (1 if scheme == "u8s8" else 0.5) + 1e-5 * max(abs(low), abs(high))
    assert np.abs(rounded(values, scale, zero, scheme) - values).max() <= steps
    assert rounded(np.zeros(1), scale, zero, scheme)[0] == 0


@settings(max_examples=25, deadline=None)
@given(BOUNDS)
def test_the_symmetric_form_is_centred_and_as_wide_as_the_larger_side(bounds: tuple[float, float]) -> None:
    low, high = sorted(bounds)
    scale, zero = input_scale("s8s8", low, high)
    assert zero == 0
    np.testing.assert_allclose(scale, max(abs(low), abs(high)) / 127.5, rtol=0.01)


@settings(max_examples=25, deadline=None)
@given(BOUNDS)
def test_the_asymmetric_form_is_widened_to_hold_zero(bounds: tuple[float, float]) -> None:
    low, high = sorted(bounds)
    scale, zero = input_scale("u8s8", low, high)
    assert 0 <= zero <= 255
    if low >= 0:
        assert zero == 0
    np.testing.assert_allclose(scale, (max(high, 0) - min(low, 0)) / 255, rtol=1e-3)


def test_a_scale_for_each_channel_is_nearer_than_one_for_all() -> None:
    model = classifier()
    cache = calibrate(model, RandomFrames(), QuantizationSettings(frames=Path("unused"), method="min-max"))
    graph = onnx.load_from_string(quantize_static(model, cache, "u8s8", task="classification").model).graph
    weights = {weight.name: numpy_helper.to_array(weight) for weight in graph.initializer}
    floats = {weight.name: numpy_helper.to_array(weight) for weight in onnx.load_from_string(model).graph.initializer}
    scales = {
        node.output[0]: (weights[node.input[0]], weights[node.input[1]])
        for node in graph.node
        if node.op_type == "DequantizeLinear" and node.input[0] in weights
    }
    layers = [node for node in graph.node if node.op_type == "Conv"]
    assert len(layers) == 3
    for layer in layers:
        whole, scale = scales[layer.input[1]]
        true = floats[f"{layer.name}.weight"].astype(np.float64)
        assert scale.shape == true.shape[:1]
        by_channel = whole * scale.reshape(-1, 1, 1, 1)
        step = np.abs(true).max() / 127
        by_tensor = np.clip(np.round(true / step), -127, 127) * step
        assert ((by_channel - true) ** 2).sum() <= ((by_tensor - true) ** 2).sum()
