"""What both runtimes say of graphs that they do not take: the node, and why, on one line."""

import numpy as np
import onnx
import pytest

from model_compiler.engines.engine import Engine
from model_compiler.engines.errors import UnsupportedByRuntime
from model_compiler.engines.onnxruntime_engine import OnnxRuntimeEngine
from model_compiler.engines.openvino_engine import OpenVinoEngine
from model_compiler.graph.node_names import first_sentence, node_of_message
from tests.model_compiler.small_graphs import classifier, graph, node

SAMPLE = np.zeros((1, 3, 8, 8), np.float32)
ENGINES = [OnnxRuntimeEngine(), OpenVinoEngine()]


def foreign_operator() -> onnx.ModelProto:
    return graph([node("Blur", ["x"], ["y"], name="odd", domain="com.acme")], opsets={"": 17, "com.acme": 1})


def wrong_weights() -> onnx.ModelProto:
    weights = {"w": np.zeros((2, 5, 1, 1), np.float32)}
    return graph([node("Conv", ["x", "w"], ["y"], name="odd")], weights=weights, output=["batch", 2, 8, 8])


def wrong_shape() -> onnx.ModelProto:
    nodes = [node("Relu", ["x"], ["r"]), node("Reshape", ["r", "s"], ["y"], name="odd")]
    return graph(nodes, weights={"s": np.array([4, 192])}, output=["batch", 192])


@pytest.mark.parametrize("engine", ENGINES, ids=lambda engine: engine.name)
@pytest.mark.parametrize(
    ("broken", "reason"),
    [
        (graph([node("Relu", ["x"], ["r"]), node("Swirl", ["r"], ["y"], name="odd")]), "Swirl"),
        (foreign_operator(), "com.acme"),
        (wrong_weights(), "5"),
        (wrong_shape(), "4,192"),
    ],
    ids=["unknown operator", "foreign operator", "weights of another shape", "batch size inside"],
)
def test_the_node_is_named_with_the_reason(engine: Engine, broken: onnx.ModelProto, reason: str) -> None:
    model = broken.SerializeToString()
    with pytest.raises(UnsupportedByRuntime) as caught:
        engine.open(engine.prepare(model, "f32"), "f32", 1).run({"x": SAMPLE})
    assert caught.value.node is not None
    assert caught.value.node.startswith("node 'odd'")
    assert reason in caught.value.reason
    message = str(caught.value)
    assert message.startswith(f"{engine.name} refuses node 'odd'")
    assert "\n" not in message
    assert ".cpp" not in message
    assert ".cc" not in message
    assert len(message) < 400


def test_a_node_that_a_runtime_made_of_another_is_traced_back() -> None:
    session = OpenVinoEngine().open(classifier().SerializeToString(), "f32", 1)
    with pytest.raises(UnsupportedByRuntime, match=r"node 'first' \(Conv, gives 'c1'\)"):
        session.run({"x": np.zeros((1, 5, 8, 8), np.float32)})


def test_messages_without_a_node_of_the_graph_name_none() -> None:
    assert node_of_message(classifier(), "out of memory") is None
    assert node_of_message(classifier(), "Name:'stranger' failed") is None
    assert node_of_message(classifier(), "Name:'' failed") is None


def test_long_messages_are_cut() -> None:
    assert first_sentence("a b\n  c") == "a b c"
    assert len(first_sentence("word " * 500)) <= 300
