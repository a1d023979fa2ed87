"""OpenVINO takes the graph as it is, and what it would refuse is refused before, with the reason."""

import numpy as np
import pytest

from model_compiler.engines.errors import UnsupportedByRuntime, UnsupportedPrecision
from model_compiler.engines.onnxruntime_engine import OnnxRuntimeEngine
from model_compiler.engines.openvino_engine import OpenVinoEngine
from model_compiler.variant import Precision
from tests.model_compiler.small_graphs import classifier, graph, node, quantized

ENGINE = OpenVinoEngine()
SAMPLES = np.random.default_rng(3).standard_normal((4, 3, 8, 8)).astype(np.float32)


class OlderProcessor(OpenVinoEngine):
    """A machine without bf16."""

    def precisions(self) -> tuple[Precision, ...]:
        return ("auto", "f32")


def test_it_computes_what_onnxruntime_computes_at_any_batch_size() -> None:
    model = classifier().SerializeToString()
    assert ENGINE.prepare(model, "f32") == model
    session, other = ENGINE.open(model, "f32", 1), OnnxRuntimeEngine().open(model, "f32", 1)
    for batch_size in (1, 4):
        feeds = {"x": SAMPLES[:batch_size]}
        np.testing.assert_allclose(session.run(feeds)["y"], other.run(feeds)["y"], atol=1e-5)


def test_results_stay_when_the_session_runs_again() -> None:
    session = ENGINE.open(classifier().SerializeToString(), "f32", 1)
    first = session.run({"x": SAMPLES})["y"]
    kept = first.copy()
    session.run({"x": SAMPLES + 1})
    assert np.array_equal(first, kept)


def test_bf16_needs_a_processor_that_has_it() -> None:
    model = classifier().SerializeToString()
    with pytest.raises(UnsupportedPrecision, match=r"openvino does not run precision 'bf16': this processor"):
        OlderProcessor().open(model, "bf16", 1)
    assert OlderProcessor().prepare(model, "auto") == model


@pytest.mark.parametrize("precision", ["auto", "bf16"])
def test_signed_integers_off_centre_are_refused_under_bf16_on_every_processor(precision: Precision) -> None:
    model = quantized(classifier(), np.abs(SAMPLES), scheme="s8").SerializeToString()
    for call in (lambda: ENGINE.prepare(model, precision), lambda: ENGINE.open(model, precision, 1)):
        with pytest.raises(UnsupportedByRuntime, match=r"'x_QuantizeLinear' .*int8 with a zero point other than 0"):
            call()
    ENGINE.prepare(model, "f32")


@pytest.mark.parametrize("scheme", ["s8s8", "u8s8"])
def test_centred_and_unsigned_integers_are_taken(scheme: str) -> None:
    model = quantized(classifier(), SAMPLES, scheme=scheme).SerializeToString()
    assert ENGINE.prepare(model, "auto") == model


def test_open_axes_besides_the_batch_are_refused() -> None:
    model = graph([node("Relu", ["x"], ["y"])], size=["batch", 3, "height", "width"]).SerializeToString()
    with pytest.raises(UnsupportedByRuntime, match=r"'x' FP32 \[\?,3,\?,\?\] has open axes besides the first: fix its"):
        ENGINE.prepare(model, "f32")


def test_a_graph_with_a_batch_size_inside_is_refused_with_its_node() -> None:
    flatten = node("Reshape", ["x", "s"], ["y"], name="flatten")
    fixed = graph([flatten], weights={"s": np.array([4, 192])}, output=["batch", 192])
    with pytest.raises(UnsupportedByRuntime, match=r"refuses node 'flatten' \(Reshape, gives 'y'\): .*\[4,192\]"):
        ENGINE.prepare(fixed.SerializeToString(), "f32")


def test_an_operator_that_it_does_not_have_is_named() -> None:
    odd = graph([node("Relu", ["x"], ["r"]), node("Swirl", ["r"], ["y"], name="odd")]).SerializeToString()
    with pytest.raises(UnsupportedByRuntime) as caught:
        ENGINE.prepare(odd, "f32")
    assert caught.value.node == "node 'odd' (Swirl, gives 'y')"


def test_inputs_of_other_names_are_refused() -> None:
    session = ENGINE.open(classifier().SerializeToString(), "f32", 1)
    with pytest.raises(UnsupportedByRuntime, match=r"it has the inputs \['x'\], got \['z'\]"):
        session.run({"z": SAMPLES})


def test_an_input_of_another_type_is_refused_and_the_session_goes_on() -> None:
    session = ENGINE.open(classifier().SerializeToString(), "f32", 1)
    with pytest.raises(UnsupportedByRuntime, match="openvino refuses"):
        session.run({"x": np.zeros((1, 5, 8, 8), np.float32)})
    assert session.run({"x": SAMPLES})["y"].shape == (4, 4)


def test_it_is_always_here() -> None:
    assert ENGINE.missing() is None
    assert ENGINE.version().startswith("openvino 20")
