"""Broken graphs and weights are refused by name."""

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from model_compiler.errors import InvalidWeights, UnsupportedModel, UnsupportedNode
from model_compiler.graph.graph_support import check_graph
from tests.model_compiler.small_graphs import classifier, graph, node, quantized
from tests.model_compiler.tiny_detectors import LARGE, build


def test_sound_graphs_pass() -> None:
    check_graph(classifier())
    check_graph(build(LARGE))
    check_graph(quantized(classifier(), np.zeros((2, 3, 8, 8), np.float32), scheme="u8s8"))


def test_an_unknown_operator_is_named_with_its_node() -> None:
    with pytest.raises(UnsupportedNode) as caught:
        check_graph(graph([node("Swirl", ["x"], ["y"], name="odd")]))
    assert str(caught.value) == (
        "node 'odd' (Swirl, gives 'y'): operator Swirl of domain ai.onnx: ONNX has no such operator"
    )
    assert (caught.value.op, caught.value.domain) == ("Swirl", "ai.onnx")


def test_a_node_without_a_name_is_found_by_what_it_gives() -> None:
    with pytest.raises(UnsupportedNode, match=r"node 'without a name' \(Swirl, gives 'y'\)"):
        check_graph(graph([node("Swirl", ["x"], ["y"])]))


def test_an_operator_of_a_foreign_domain_is_refused() -> None:
    odd = graph([node("Blur", ["x"], ["y"], name="odd", domain="com.acme")], opsets={"": 17, "com.acme": 1})
    with pytest.raises(UnsupportedNode, match=r"node 'odd' \(com.acme.Blur.*of domain com.acme: no runtime here has"):
        check_graph(odd)


def test_a_function_of_the_model_itself_is_known() -> None:
    function = helper.make_function(
        "com.acme", "Blur", ["a"], ["b"], [node("Relu", ["a"], ["b"])], [helper.make_opsetid("", 17)]
    )
    odd = graph([node("Blur", ["x"], ["y"], domain="com.acme")], opsets={"": 17, "com.acme": 1})
    odd.functions.append(function)
    check_graph(odd)


def test_operators_of_onnxruntime_are_left_to_the_runtimes() -> None:
    check_graph(graph([node("Gelu", ["x"], ["y"], domain="com.microsoft")], opsets={"": 17, "com.microsoft": 1}))


def test_an_operator_newer_than_the_graph_says_which_opset_has_it() -> None:
    with pytest.raises(UnsupportedNode, match=r"from operator set 20 on, the graph is written for 17; export with"):
        check_graph(graph([node("Gelu", ["x"], ["y"], name="odd")]))


def test_a_deprecated_operator_is_refused() -> None:
    odd = graph([node("Upsample", ["x", "s"], ["y"], name="odd")], weights={"s": np.ones(4, np.float32)})
    with pytest.raises(UnsupportedNode, match=r"node 'odd' .* it is deprecated in operator set 17"):
        check_graph(odd)


def test_a_newer_onnx_than_this_compiler_knows_is_refused() -> None:
    newest = onnx.defs.onnx_opset_version()
    with pytest.raises(UnsupportedModel, match=rf"operator set 99 of ONNX, this compiler knows up to {newest}"):
        check_graph(graph([node("Relu", ["x"], ["y"])], opsets={"": 99}))


def test_a_tensor_that_nothing_gives_is_named_with_its_reader() -> None:
    with pytest.raises(UnsupportedModel, match=r"node 'sum' \(Add, gives 'y'\) reads 'nowhere', which is neither"):
        check_graph(graph([node("Add", ["x", "nowhere"], ["y"], name="sum")]))


@pytest.mark.parametrize(("value", "said"), [(np.nan, "1 NaN of 216 values"), (np.inf, "1 infinite of 216 values")])
def test_weights_that_are_not_finite_are_named_with_their_reader(value: float, said: str) -> None:
    broken = classifier()
    weights = np.array(onnx.numpy_helper.to_array(broken.graph.initializer[0]))
    weights[2, 1, 0, 0] = value
    broken.graph.initializer[0].CopyFrom(onnx.numpy_helper.from_array(weights, "w1"))
    with pytest.raises(InvalidWeights, match=rf"weights 'w1', read by node 'first' \(Conv, gives 'c1'\): {said}"):
        check_graph(broken)


def test_nan_in_a_constant_node_is_found() -> None:
    constant = helper.make_tensor("k", TensorProto.FLOAT, [2], [1.0, float("nan")])
    nodes = [node("Constant", [], ["k"], value=constant), node("Mul", ["x", "k"], ["y"], name="scale")]
    with pytest.raises(InvalidWeights, match=r"weights 'k', read by node 'scale'"):
        check_graph(graph(nodes))


def test_infinite_bounds_and_masks_are_no_weights() -> None:
    nodes = [node("Clip", ["x", "", "top"], ["c"]), node("Add", ["c", "mask"], ["y"])]
    mask = np.array([0, -np.inf], np.float32)
    check_graph(graph(nodes, weights={"top": np.array(np.inf, np.float32), "mask": mask}))
