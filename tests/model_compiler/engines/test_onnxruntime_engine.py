"""ONNX Runtime prepares a graph once, the same each time, and its refusals name the node."""

import numpy as np
import onnx
import pytest

from model_compiler.engines.errors import UnsupportedByRuntime, UnsupportedPrecision
from model_compiler.engines.onnxruntime_engine import OnnxRuntimeEngine
from tests.model_compiler.small_graphs import classifier, graph, node, quantized

ENGINE = OnnxRuntimeEngine()
SAMPLES = np.random.default_rng(3).standard_normal((4, 3, 8, 8)).astype(np.float32)


def wasteful() -> onnx.ModelProto:
    """A chain of constants that folds into one."""
    weights = {"a": np.ones((3, 1, 1), np.float32), "b": np.full((3, 1, 1), 2, np.float32)}
    nodes = [node("Identity", ["x"], ["x0"])]
    nodes += [node("Add", ["a" if i == 0 else f"k{i - 1}", "b"], [f"k{i}"], name=f"add{i}") for i in range(40)]
    return graph([*nodes, node("Mul", ["x0", "k39"], ["y"], name="scale")], weights=weights, output=["batch", 3, 8, 8])


def test_what_every_session_would_do_is_done_once() -> None:
    plain = wasteful().SerializeToString()
    prepared = ENGINE.prepare(plain, "f32")
    assert len(prepared) < len(plain)
    assert [item.op_type for item in onnx.load_model_from_string(prepared).graph.node] == ["Mul"]
    first, second = (ENGINE.open(model, "f32", 1).run({"x": SAMPLES})["y"] for model in (plain, prepared))
    assert np.array_equal(first, second)


def test_the_same_graph_gives_the_same_bytes() -> None:
    plain = wasteful().SerializeToString()
    assert ENGINE.prepare(plain, "f32") == ENGINE.prepare(plain, "f32")


def test_only_operator_sets_in_use_are_declared() -> None:
    prepared = onnx.load_model_from_string(ENGINE.prepare(wasteful().SerializeToString(), "f32"))
    assert [entry.domain for entry in prepared.opset_import] == [""]
    onnx.checker.check_model(prepared, full_check=True)


def test_a_graph_that_would_not_shrink_stays_as_it_is() -> None:
    nodes = [node("Expand", ["one", "size"], ["ones"]), node("Mul", ["x", "ones"], ["y"])]
    weights = {"one": np.full(1, 2.0, np.float32), "size": np.array([1, 3, 8, 8])}
    lean = graph(nodes, weights=weights).SerializeToString()
    assert ENGINE.prepare(lean, "auto") == lean


def test_q_dq_nodes_stay_for_each_processor_to_fuse() -> None:
    plain = quantized(classifier(), SAMPLES, scheme="u8s8")
    prepared = onnx.load_model_from_string(ENGINE.prepare(plain.SerializeToString(), "f32"))
    kept = {"QuantizeLinear", "DequantizeLinear", "Conv"}
    assert kept <= {item.op_type for item in prepared.graph.node}


@pytest.mark.parametrize("call", ["prepare", "open"])
def test_bf16_is_refused(call: str) -> None:
    arguments = () if call == "prepare" else (1,)
    with pytest.raises(UnsupportedPrecision, match=r"onnxruntime does not run precision 'bf16': .*; use auto or f32"):
        getattr(ENGINE, call)(classifier().SerializeToString(), "bf16", *arguments)


def test_an_operator_that_it_does_not_have_is_named() -> None:
    odd = graph([node("Swirl", ["x"], ["y"], name="odd")]).SerializeToString()
    with pytest.raises(UnsupportedByRuntime) as caught:
        ENGINE.prepare(odd, "f32")
    assert caught.value.node == "node 'odd' (Swirl, gives 'y')"
    assert "No Op registered for Swirl" in str(caught.value)


def test_a_graph_with_a_batch_size_inside_is_refused_with_its_node() -> None:
    fixed = graph(
        [node("Reshape", ["x", "s"], ["y"], name="flatten")], weights={"s": np.array([4, 192])}, output=["batch", 192]
    )
    session = ENGINE.open(fixed.SerializeToString(), "f32", 1)
    assert session.run({"x": SAMPLES})["y"].shape == (4, 192)
    with pytest.raises(UnsupportedByRuntime, match=r"onnxruntime refuses node 'flatten' \(Reshape, gives 'y'\)"):
        session.run({"x": SAMPLES[:1]})


def test_it_is_always_here() -> None:
    assert (ENGINE.missing(), ENGINE.precisions()) == (None, ("auto", "f32"))
    assert ENGINE.version().startswith("onnxruntime 1.")
