"""The grafted graph gives the candidates that the host would compute from the plain one."""

from dataclasses import replace

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import helper

from contracts.model_card import InputSpec
from model_compiler.errors import UnexpectedTensor
from model_compiler.stages.graft import graft_detector
from tests.model_compiler.tiny_detectors import LARGE, RUNTIMES, Rows, Runtime, TinyDetector, build, pixels, run
from vision.heads import decode_yolov5, decode_yolov8

IMAGENET = {"mean": (0.485, 0.456, 0.406), "std": (0.229, 0.224, 0.225)}
SHAPES = [
    LARGE,
    TinyDetector(),
    replace(LARGE, ending="scores"),
    replace(LARGE, ending="hidden"),
    replace(LARGE, head="yolov5"),
    TinyDetector(head="yolov5", classes=1),
    replace(LARGE, opset=21),
    replace(LARGE, opset=21, head="yolov5"),
]


def spec_of(tiny: TinyDetector, **changes: object) -> InputSpec:
    return InputSpec.model_validate({"width": tiny.width, "height": tiny.height, **changes})


def reference(
    tiny: TinyDetector, plain: onnx.ModelProto, spec: InputSpec, images: NDArray[np.uint8], top: int
) -> list[Rows]:
    """Host preprocessing, the plain graph in ONNX Runtime, host decoding."""
    ordered = images[..., ::-1] if spec.color == "bgr" else images
    values = (ordered.astype(np.float64) * spec.scale - spec.mean) / spec.std
    predictions = run(plain, "onnxruntime", np.ascontiguousarray(values.transpose(0, 3, 1, 2), np.float32))
    decode = decode_yolov8 if tiny.head == "yolov8" else decode_yolov5
    return [decode(picture, top) for picture in predictions]


def assert_same_candidates(actual: Rows, expected: list[Rows], anchors: int) -> None:
    """Scores agree in order, and each row is one of the host's (equal scores may come in any order)."""
    kept = min(300, anchors)
    assert actual.shape == (len(expected), 300, 6)
    for rows, host_rows in zip(actual, expected, strict=True):
        np.testing.assert_allclose(rows[:kept, 4], host_rows[:kept, 4], atol=1e-4)
        assert not rows[kept:].any()
        distance = np.abs(rows[:kept, None] - host_rows[None]).max(axis=2).min(axis=1)
        assert distance.max() < 2e-2
        assert len(np.unique(rows[:kept, :4], axis=0)) == kept


@pytest.mark.parametrize("runtime", RUNTIMES)
@pytest.mark.parametrize("tiny", SHAPES, ids=lambda tiny: f"{tiny.head}-{tiny.ending}-{tiny.anchors}-op{tiny.opset}")
def test_candidates_equal_those_of_the_host(tiny: TinyDetector, runtime: Runtime) -> None:
    plain, spec = build(tiny), spec_of(tiny)
    grafted = graft_detector(plain, spec, tiny.head, classes=tiny.classes)
    for batch in (1, 3):
        images = pixels(tiny, batch, seed=batch)
        expected = reference(tiny, plain, spec, images, tiny.anchors)
        assert_same_candidates(run(grafted, runtime, images), expected, tiny.anchors)


@pytest.mark.parametrize("padding", [0, 1])
@pytest.mark.parametrize("color", ["rgb", "bgr"])
@pytest.mark.parametrize("normalisation", [{}, IMAGENET, {"std": (0.8, 1.0, 1.5), "scale": 1.0 / 200}])
def test_any_normalisation_and_colour_order(padding: int, color: str, normalisation: dict[str, object]) -> None:
    tiny = replace(LARGE, padding=padding)
    plain, spec = build(tiny), spec_of(tiny, color=color, **normalisation)
    images = pixels(tiny, 2)
    expected = reference(tiny, plain, spec, images, tiny.anchors)
    runtime: Runtime = "openvino" if color == "bgr" and padding else "onnxruntime"
    assert_same_candidates(run(graft_detector(plain, spec, "yolov8"), runtime, images), expected, tiny.anchors)


@pytest.mark.parametrize(
    ("padding", "normalisation", "folded"), [(1, {}, True), (0, {}, True), (0, IMAGENET, True), (1, IMAGENET, False)]
)
def test_normalisation_goes_into_the_weights_where_that_is_exact(
    padding: int, normalisation: dict[str, object], folded: bool
) -> None:
    tiny = TinyDetector(padding=padding)
    grafted = graft_detector(build(tiny), spec_of(tiny, **normalisation), "yolov8")
    before = [node.op_type for node in grafted.graph.node][: -len(build(tiny).graph.node)]
    assert before[:2] == ["Transpose", "Cast"]
    assert (before[2] == "Mul") is not folded


def test_weights_that_are_computed_are_left_alone() -> None:
    plain = build(LARGE)
    plain.graph.node[0].input[1] = "computed"
    plain.graph.node.insert(0, helper.make_node("Identity", ["stem"], ["computed"]))
    images = pixels(LARGE, 1)
    grafted = graft_detector(plain, spec_of(LARGE, color="bgr"), "yolov8")
    expected = reference(LARGE, plain, spec_of(LARGE, color="bgr"), images, LARGE.anchors)
    assert "Mul" in [node.op_type for node in grafted.graph.node][:5]
    assert_same_candidates(run(grafted, "onnxruntime", images), expected, LARGE.anchors)


@pytest.mark.parametrize("runtime", RUNTIMES)
@pytest.mark.parametrize(
    "tiny",
    [replace(shape, fragile=True) for shape in SHAPES[:5]],
    ids=lambda tiny: f"{tiny.head}-{tiny.ending}-{tiny.anchors}",
)
@pytest.mark.parametrize("black_cells", [1, None])
def test_one_nan_score_marks_its_picture_and_no_other(
    tiny: TinyDetector, runtime: Runtime, black_cells: int | None
) -> None:
    plain = build(tiny)
    grafted = graft_detector(plain, spec_of(tiny), tiny.head)
    images = pixels(tiny, 3)
    images[1, :8, : None if black_cells is None else 8 * black_cells] = 0
    if black_cells is None:
        images[1] = 0
    candidates = run(grafted, runtime, images)
    assert np.isnan(candidates[1, : min(300, tiny.anchors), 4]).all()
    sound = [0, 2]
    expected = reference(tiny, plain, spec_of(tiny), images[sound], tiny.anchors)
    assert_same_candidates(candidates[sound], expected, tiny.anchors)


def test_the_interface_is_pixels_in_and_candidates_out() -> None:
    for batch in (None, 1):
        tiny = replace(LARGE, batch=batch)
        grafted = graft_detector(build(tiny), spec_of(tiny), "yolov8")
        (picture,), (candidates,) = grafted.graph.input, grafted.graph.output
        sizes = [axis.dim_param or axis.dim_value for axis in picture.type.tensor_type.shape.dim]
        assert (picture.name, sizes) == ("images", [batch or "batch", tiny.height, tiny.width, 3])
        sizes = [axis.dim_param or axis.dim_value for axis in candidates.type.tensor_type.shape.dim]
        assert (candidates.name, sizes) == ("candidates", [batch or "batch", 300, 6])
        onnx.checker.check_model(grafted, full_check=True)


@pytest.mark.parametrize(
    ("names", "inner"), [(("x", "candidates"), "images"), (("candidates", "images"), "graft/Transpose")]
)
def test_names_in_the_graph_do_not_collide(names: tuple[str, str], inner: str) -> None:
    tiny = replace(LARGE, names=names, inner=inner)
    images = pixels(tiny, 1)
    expected = reference(tiny, build(tiny), spec_of(tiny), images, tiny.anchors)
    actual = run(graft_detector(build(tiny), spec_of(tiny), "yolov8"), "onnxruntime", images)
    assert_same_candidates(actual, expected, tiny.anchors)


def test_an_older_operator_set_is_raised_to_17_and_a_newer_one_kept() -> None:
    tiny = replace(LARGE, opset=13)
    grafted = graft_detector(build(tiny), spec_of(tiny), "yolov8")
    assert [entry.version for entry in grafted.opset_import] == [17]
    images = pixels(tiny, 1)
    expected = reference(tiny, build(tiny), spec_of(tiny), images, tiny.anchors)
    assert_same_candidates(run(grafted, "onnxruntime", images), expected, tiny.anchors)
    newer = replace(LARGE, opset=21)
    assert [entry.version for entry in graft_detector(build(newer), spec_of(newer), "yolov8").opset_import] == [21]


def test_a_graph_of_an_old_version_that_lists_weights_as_inputs() -> None:
    plain = build(LARGE)
    plain.ir_version = 3
    for weight in plain.graph.initializer:
        plain.graph.input.append(helper.make_tensor_value_info(weight.name, weight.data_type, weight.dims))
    grafted = graft_detector(plain, spec_of(LARGE), "yolov8")
    assert [value.name for value in grafted.graph.input] == ["images"]
    assert np.isfinite(run(grafted, "onnxruntime", pixels(LARGE, 1))).all()


def test_the_same_input_gives_the_same_bytes_and_stays_as_it_was() -> None:
    plain = build(LARGE)
    before = plain.SerializeToString(deterministic=True)
    first, second = (graft_detector(plain, spec_of(LARGE), "yolov8") for _ in range(2))
    assert first.SerializeToString(deterministic=True) == second.SerializeToString(deterministic=True)
    assert plain.SerializeToString(deterministic=True) == before


def test_open_sizes_of_the_output_are_found() -> None:
    plain = build(LARGE)
    for axis in plain.graph.output[0].type.tensor_type.shape.dim:
        axis.dim_param = f"open_{axis.dim_value}"
    images = pixels(LARGE, 1)
    expected = reference(LARGE, plain, spec_of(LARGE), images, LARGE.anchors)
    actual = run(graft_detector(plain, spec_of(LARGE), "yolov8"), "onnxruntime", images)
    assert_same_candidates(actual, expected, LARGE.anchors)


def test_another_shape_than_promised_says_expected_and_actual() -> None:
    with pytest.raises(UnexpectedTensor, match=r"C = 7 labels.*\[\?,9,480\]"):
        graft_detector(build(LARGE), spec_of(LARGE), "yolov8", classes=7)
    five = replace(LARGE, head="yolov5")
    with pytest.raises(UnexpectedTensor, match="which is what yolov5 looks like"):
        graft_detector(build(five), spec_of(five), "yolov8", classes=five.classes)
    with pytest.raises(UnexpectedTensor, match="an output called 'boxes'"):
        graft_detector(build(LARGE), spec_of(LARGE), "yolov8", output="boxes")
    classifier = build(LARGE)
    del classifier.graph.output[0].type.tensor_type.shape.dim[2]
    with pytest.raises(UnexpectedTensor, match=r"expected an FP32 tensor \[N,4\+C,A\]"):
        graft_detector(classifier, spec_of(LARGE), "yolov8")
