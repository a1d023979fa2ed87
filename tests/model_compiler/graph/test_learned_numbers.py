from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray

from model_compiler.graph.learned_numbers import learned_numbers
from model_compiler.quantization.weight_only import Kind, quantize_weights
from tests.model_compiler.proposal.exports import yolov8
from tests.model_compiler.quantization.small_networks import NetworkBuilder
from tests.model_compiler.small_graphs import graph, node

LAYER = {"w": (6, 3, 3, 3), "b": (6,)}
MATRIX = {"w": (8, 7), "b": (7,)}


def count(nodes: list[onnx.NodeProto], shapes: dict[str, tuple[int, ...]], **others: NDArray[Any]) -> int:
    weights = {name: np.ones(shape, np.float32) for name, shape in shapes.items()}
    return learned_numbers(graph(nodes, weights=weights | others, output=["batch", "c", "h", "w"]))


def test_anchors_strides_and_pixel_values_are_not_learned() -> None:
    shapes = LAYER | {"mean": (1, 3, 1, 1), "centres": (1, 2, 64), "strides": (1, 1, 64)}
    nodes = [
        node("Sub", ["x", "mean"], ["shifted"]),
        node("Conv", ["shifted", "w", "b"], ["rows"]),
        node("Add", ["rows", "centres"], ["placed"]),
        node("Mul", ["placed", "strides"], ["y"]),
    ]
    assert count(nodes, shapes) == 6 * 3 * 9 + 6


def test_the_anchors_of_an_exported_detector_are_not_learned() -> None:
    model = yolov8()
    layers = {name for each in model.graph.node if each.op_type == "Conv" for name in each.input[1:]}
    weights = {weight.name: int(np.prod(weight.dims)) for weight in model.graph.initializer}
    assert learned_numbers(model) == sum(weights[name] for name in layers) < sum(weights.values())


@pytest.mark.parametrize(
    ("nodes", "shapes", "expected"),
    [
        ([node("BatchNormalization", ["x", "s", "b", "m", "v"], ["y"])], dict.fromkeys("sbmv", (3,)), 6),
        ([node("InstanceNormalization", ["x", "s", "b"], ["y"])], dict.fromkeys("sb", (3,)), 6),
        ([node("LayerNormalization", ["x", "s"], ["y"])], {"s": (8,)}, 8),
        ([node("PRelu", ["x", "s"], ["y"])], {"s": (3, 1, 1)}, 3),
        ([node("Cast", ["x"], ["i"], to=7), node("Gather", ["table", "i"], ["y"])], {"table": (9, 4)}, 36),
        ([node("Transpose", ["w"], ["t"]), node("MatMul", ["x", "t"], ["y"])], {"w": (7, 8)}, 56),
        ([node("Conv", ["x", "w"], ["c"]), node("Conv", ["c", "w"], ["y"])], {"w": (3, 3, 3, 3)}, 81),
    ],
    ids=["batch norm", "instance norm", "layer norm", "slopes", "embedding", "transposed", "shared"],
)
def test_what_is_learned(nodes: list[onnx.NodeProto], shapes: dict[str, tuple[int, ...]], expected: int) -> None:
    assert count(nodes, shapes) == expected


def test_a_bias_behind_its_layer_is_learned_and_another_constant_is_not() -> None:
    product = node("MatMul", ["x", "w"], ["p"])
    assert count([product, node("Add", ["p", "b"], ["y"])], MATRIX) == 8 * 7 + 7
    assert count([product, node("Add", ["b", "p"], ["y"])], MATRIX) == 8 * 7 + 7
    assert count([product, node("Add", ["p", "grid"], ["y"])], {"w": (8, 7), "grid": (8, 7)}) == 8 * 7
    with_bias = node("Conv", ["x", "w", "b"], ["p"])
    assert count([with_bias, node("Add", ["p", "c"], ["y"])], LAYER | {"c": (6,)}) == 6 * 3 * 9 + 6
    without = node("Conv", ["x", "w"], ["p"])
    assert count([without, node("Add", ["p", "b"], ["y"])], LAYER | {"b": (1, 6, 1, 1)}) == 6 * 3 * 9 + 6


def test_sizes_that_a_graph_gathers_are_no_embedding() -> None:
    nodes = [node("Shape", ["x"], ["i"]), node("Gather", ["sizes", "i"], ["s"]), node("Reshape", ["x", "s"], ["y"])]
    assert count(nodes, {}, sizes=np.ones((4, 2), np.int64)) == 0


def test_constant_nodes_and_integers_made_floats_again_count() -> None:
    weights: dict[str, NDArray[Any]] = {
        "q": np.ones((6, 3, 3, 3), np.int8),
        "scale": np.ones(6, np.float32),
        "zero": np.zeros(6, np.int8),
    }
    bias = onnx.numpy_helper.from_array(np.ones(6, np.float32))
    nodes = [
        node("Constant", [], ["b"], value=bias),
        node("DequantizeLinear", ["q", "scale", "zero"], ["w"], axis=0),
        node("Conv", ["x", "w", "b"], ["y"]),
    ]
    assert count(nodes, {}, **weights) == 6 * 3 * 9 + 6


@pytest.mark.parametrize("kind", ["int8-dynamic", "int4-weights"])
def test_smaller_weights_are_as_many_as_before(kind: Kind) -> None:
    net = NetworkBuilder()
    features = net.add("Reshape", "images", net.constant("rows", np.array([0, 96, 32], np.int64)), name="rows_of")
    for index in range(2):
        product = net.add("MatMul", features, net.weight(f"w{index}", 32, 32), name=f"matrix{index}")
        features = net.add("Add", product, net.weight(f"b{index}", 32), name=f"biased{index}")
    plain = net.model("features", ["batch", 96, 32])
    assert learned_numbers(onnx.load_from_string(plain)) == 2 * (32 * 32 + 32)
    assert learned_numbers(onnx.load_from_string(quantize_weights(plain, kind))) == 2 * (32 * 32 + 32)
