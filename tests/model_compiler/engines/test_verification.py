"""Variants against their FP32 reference: what is right passes, what is wrong fails and names the node."""

from dataclasses import replace

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from contracts.model_card import InputSpec, NmsSpec, OutputSpec
from contracts.quantization import Variant
from model_compiler.engines.engine import Engine
from model_compiler.engines.errors import UnsupportedByRuntime, VerificationFailed
from model_compiler.engines.frame_input import Frames, input_tensor
from model_compiler.engines.onnxruntime_engine import OnnxRuntimeEngine
from model_compiler.engines.openvino_engine import OpenVinoEngine
from model_compiler.engines.verification import Subject, verify
from model_compiler.engines.verification_report import VerificationReport
from model_compiler.stages.graft import graft_detector
from tests.model_compiler.small_graphs import classifier, frames, graph, node, quantized
from tests.model_compiler.tiny_detectors import LARGE, TinyDetector, build, pixels

ORT, OPENVINO = OnnxRuntimeEngine(), OpenVinoEngine()
PLAIN_8 = InputSpec(name="x", width=8, height=8, datatype="FP32", layout="NCHW")
LOGITS = OutputSpec(name="y", decoder="logits")
DETECTOR_INPUT = InputSpec(width=LARGE.width, height=LARGE.height, datatype="FP32", layout="NCHW")
DETECTOR_OUTPUT = OutputSpec(name="predictions", decoder="yolov8")


def checked(
    reference: Subject,
    candidate: Subject,
    pictures: Frames,
    *,
    variant: Variant = "f32",
    max_batch_size: int = 4,
    threshold: float = 0.6,
) -> VerificationReport:
    return verify(
        reference,
        candidate,
        pictures,
        variant=variant,
        max_batch_size=max_batch_size,
        thresholds=np.full(5, threshold, np.float32),
        nms=NmsSpec(),
    )


def subject(model: onnx.ModelProto, engine: Engine = ORT) -> Subject:
    return Subject(model.SerializeToString(), engine, "f32", PLAIN_8, LOGITS)


def detector(tiny: TinyDetector = LARGE, engine: Engine = ORT, *, seed: int = 0) -> Subject:
    return Subject(build(tiny, seed=seed).SerializeToString(), engine, "f32", DETECTOR_INPUT, DETECTOR_OUTPUT)


def detector_with(model: onnx.ModelProto) -> Subject:
    return replace(detector(), model=model.SerializeToString())


def grafted(plain: onnx.ModelProto, engine: Engine = ORT) -> Subject:
    pixel_input = DETECTOR_INPUT.model_copy(update={"datatype": "UINT8", "layout": "NHWC"})
    model = graft_detector(plain, DETECTOR_INPUT, "yolov8").SerializeToString()
    return Subject(model, engine, "f32", pixel_input, OutputSpec())


def changed(model: onnx.ModelProto, weights: str, factor: float) -> onnx.ModelProto:
    for tensor in model.graph.initializer:
        if tensor.name == weights:
            tensor.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(tensor) * np.float32(factor), weights))
    return model


def test_another_runtime_agrees_at_batch_1_and_the_largest() -> None:
    report = checked(subject(classifier()), subject(classifier(), OPENVINO), frames(6))
    assert report.passed
    assert [(batch.batch_size, batch.frames) for batch in report.batches] == [(1, 6), (4, 8)]
    assert report.batches[0].outputs[0].relative < 1e-5
    assert report.layers is None
    assert report.text().startswith("f32 on openvino 20")
    assert "agrees with the FP32 reference: batch 1, 6 frames" in report.text()
    report.require()


def test_logits_and_probabilities_are_compared_as_probabilities() -> None:
    candidate = replace(subject(classifier(softmax=True)), output=OutputSpec(name="y", decoder="probabilities"))
    report = checked(subject(classifier()), candidate, frames())
    assert report.passed
    assert report.batches[0].outputs == ()
    agreement = report.batches[0].agreement
    assert agreement is not None
    assert (agreement.compared, agreement.agreeing) == (6, 6)


def test_a_wrong_layer_is_named_as_the_first_to_deviate() -> None:
    report = checked(subject(classifier()), subject(changed(classifier(), "w2", 1.05)), frames())
    assert not report.passed
    with pytest.raises(VerificationFailed, match="deviates from the FP32 reference: output 'y' is off by") as caught:
        report.require()
    assert caught.value.problems == report.problems
    assert report.layers is not None
    assert report.layers.first is not None
    assert report.layers.first.node == "node 'second' (Conv, gives 'c2')"
    assert "first to deviate: node 'second' (Conv, gives 'c2'): SQNR" in str(caught.value)
    assert {layer.node.split("'")[1] for layer in report.layers.worst} == {"second", "pool", "flatten"}


def test_wrong_answers_are_counted() -> None:
    report = checked(subject(classifier()), subject(changed(classifier(), "b2", -10.0)), frames(12))
    assert any("of the answers agree at batch 1, expected 98.0% or more" in problem for problem in report.problems)


def test_answers_that_agree_with_other_scores_fail() -> None:
    softer = changed(changed(classifier(), "w2", 0.2), "b2", 0.2)
    report = checked(subject(classifier()), subject(softer), frames(), variant="int8")
    assert [problem.split(" by ")[0] for problem in report.problems] == ["scores differ", "scores differ"]


def test_a_score_that_slips_under_its_threshold_still_agrees() -> None:
    reference, candidate = detector(), detector_with(changed(build(LARGE), "head", 0.99))
    picture = pixels(LARGE, 1)
    scores = ORT.open(reference.model, "f32", 1).run({"images": input_tensor(picture, DETECTOR_INPUT)})["predictions"]
    best = float(scores[:, 4:].max())
    report = checked(reference, candidate, picture, variant="int8", max_batch_size=1, threshold=best)
    agreement = report.batches[0].agreement
    assert agreement is not None
    assert (agreement.compared, agreement.agreeing) == (1, 1)


def test_the_order_of_candidates_is_not_compared() -> None:
    report = checked(grafted(build(LARGE)), grafted(changed(build(LARGE), "head", 0.999)), pixels(LARGE, 1))
    assert report.batches[0].outputs == ()


def test_nan_is_found_where_it_begins() -> None:
    broken = classifier()
    broken.graph.node[0].output[0] = "c0"
    broken.graph.node.insert(1, node("Sqrt", ["c0"], ["c1"], name="root"))
    report = checked(subject(classifier()), subject(broken), frames())
    assert "values that are NaN or infinite at batch 1" in report.problems[0]
    assert report.batches[0].agreement is None
    assert report.layers is not None
    assert report.layers.first is not None
    assert report.layers.first.node.startswith("node 'root'")
    assert "values not finite" in report.text()


def test_a_reference_that_gives_no_numbers_is_no_reference() -> None:
    fragile = replace(LARGE, fragile=True)
    report = checked(detector(fragile), detector(), np.zeros((1, LARGE.height, LARGE.width, 3), np.uint8))
    assert report.problems[0].startswith("the reference: output 'predictions' has ")
    assert report.batches[0].agreement is None


@pytest.mark.parametrize("engine", [ORT, OPENVINO], ids=lambda engine: engine.name)
def test_a_grafted_detector_agrees_with_its_plain_reference(engine: Engine) -> None:
    report = checked(detector(), grafted(build(LARGE), engine), pixels(LARGE, 3))
    assert report.passed, report.text()
    agreement = report.batches[-1].agreement
    assert agreement is not None
    assert agreement.compared > 20


def test_a_detector_that_lost_its_scores_fails() -> None:
    report = checked(detector(), grafted(changed(build(LARGE), "head", 0.0)), pixels(LARGE, 2), variant="int8")
    assert "0.0% of the answers agree at batch 1, expected 75.0% or more" in report.problems


def quiet(factor: float) -> onnx.ModelProto:
    """A detector whose scores are small."""
    model = build(LARGE)
    scores = next(each for each in model.graph.node if each.output[0] == "sigmoids")
    scores.output[0] = "loud"
    after = list(model.graph.node).index(scores) + 1
    model.graph.node.insert(after, node("Mul", ["loud", "factor"], ["sigmoids"], name="quieten"))
    model.graph.initializer.append(numpy_helper.from_array(np.array(factor, np.float32), "factor"))
    return model


def test_frames_that_show_nothing_are_compared_below_the_thresholds() -> None:
    report = checked(detector(), grafted(build(LARGE), OPENVINO), pixels(LARGE, 3), threshold=1.0)
    assert report.passed, report.text()
    agreement = report.batches[0].agreement
    assert agreement is not None
    assert agreement.compared > 20
    assert report.caveat is not None
    assert "verified against the FP32 reference only below the thresholds: on 3 frames neither detects" in report.text()
    assert "agrees with the FP32 reference" not in report.text()


def test_lost_scores_are_found_below_the_thresholds() -> None:
    report = checked(
        detector(), grafted(changed(build(LARGE), "head", 0.0)), pixels(LARGE, 2), variant="int8", threshold=1.0
    )
    assert not report.passed
    assert "of the surest candidates, all below their thresholds, agree at batch 1, expected 50.0%" in report.text()
    assert report.caveat is None


def test_where_nothing_can_be_compared_nothing_is_called_verified() -> None:
    report = checked(detector_with(quiet(0.005)), detector_with(quiet(0.005)), pixels(LARGE, 2), variant="int8")
    assert report.passed
    assert report.text().startswith("int8 on onnxruntime")
    assert "not verified against the FP32 reference: on 2 frames neither detects anything" in report.text()
    assert "agrees" not in report.text()


def test_two_plain_float_models_are_compared_value_by_value_whatever_they_detect() -> None:
    assert checked(detector_with(quiet(0.005)), detector_with(quiet(0.005)), pixels(LARGE, 2)).caveat is None


def test_what_follows_a_choice_is_not_compared() -> None:
    pixel_input = DETECTOR_INPUT.model_copy(update={"datatype": "UINT8", "layout": "NHWC"})
    reference = replace(grafted(build(LARGE)), input=pixel_input)
    report = checked(reference, grafted(changed(build(LARGE), "head", 1.01)), pixels(LARGE, 1))
    assert report.layers is not None
    assert report.layers.worst
    assert not any("GatherElements" in layer.node for layer in report.layers.worst)


def test_int8_is_judged_by_its_answers() -> None:
    pictures = frames(24)
    calibration = input_tensor(pictures, PLAIN_8)
    candidate = quantized(classifier(), calibration, scheme="u8s8")
    report = checked(subject(classifier()), subject(candidate), pictures, variant="int8")
    assert report.passed, report.text()
    as_float = checked(subject(classifier()), subject(candidate), pictures, variant="f32")
    assert as_float.layers is not None
    assert as_float.layers.first is not None
    assert as_float.layers.first.node.startswith("node 'first'")


def test_bf16_is_allowed_what_its_rounding_does() -> None:
    reference, candidate = subject(classifier()), replace(subject(classifier(), OPENVINO), precision="auto")
    assert checked(reference, candidate, frames(), variant="bf16").passed


@pytest.mark.parametrize(("reference_batch", "candidate_batch"), [(4, None), (None, 4), (1, 1), (2, 3)])
def test_fixed_batch_sizes_are_filled_up(reference_batch: int | None, candidate_batch: int | None) -> None:
    reference, candidate = (detector(replace(LARGE, batch=batch)) for batch in (reference_batch, candidate_batch))
    report = checked(reference, candidate, pixels(LARGE, 2))
    assert report.passed
    assert [batch.batch_size for batch in report.batches] == ([1, 4] if candidate_batch is None else [candidate_batch])


def test_a_batch_size_inside_the_graph_is_found() -> None:
    flatten = node("Reshape", ["x", "s"], ["y"], name="flatten")
    fixed = graph([flatten], weights={"s": np.array([1, 192])}, output=["batch", 192])
    with pytest.raises(UnsupportedByRuntime, match="node 'flatten'"):
        checked(subject(fixed), subject(fixed), frames())


def test_graphs_without_a_common_name_say_so() -> None:
    renamed = changed(classifier(), "w2", 1.5)
    for item in renamed.graph.node:
        item.input[:] = [f"{name}'" if name in {"c1", "r1", "c2", "pooled"} else name for name in item.input]
        item.output[:] = [f"{name}'" if name in {"c1", "r1", "c2", "pooled"} else name for name in item.output]
    renamed.graph.node[-1].output[0] = "z"
    renamed.graph.output[0].name = "z"
    candidate = replace(subject(renamed), output=OutputSpec(name="z", decoder="logits"))
    report = checked(subject(classifier()), candidate, frames())
    assert "no inner tensor is in both graphs by name" in report.text()


@pytest.mark.parametrize("color", ["rgb", "bgr"])
def test_frames_become_what_the_gateway_writes(color: str) -> None:
    spec = InputSpec.model_validate(
        {"width": 2, "height": 1, "datatype": "FP32", "layout": "NCHW", "color": color, "mean": (0.5, 0, 0)}
        | {"std": (1, 2, 1)}
    )
    pixel = np.array([[[[255, 51, 0], [0, 0, 255]]]], np.uint8)
    red, green, blue = [1.0, 0.0], [0.2, 0.0], [0.0, 1.0]
    first, second, third = (red, green, blue) if color == "rgb" else (blue, green, red)
    expected = [[[value - 0.5 for value in first]], [[value / 2 for value in second]], [third]]
    np.testing.assert_allclose(input_tensor(pixel, spec)[0], expected, atol=1e-6)


def test_bytes_are_not_scaled() -> None:
    spec = InputSpec(width=8, height=8)
    tensor = input_tensor(frames(), spec)
    assert tensor.dtype == np.uint8
    assert np.array_equal(tensor, frames())
