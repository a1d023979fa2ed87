"""The grafted classifier gives the probabilities that the host would compute from the plain one."""

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import helper

from contracts.model_card import InputSpec
from model_compiler.errors import UnexpectedTensor
from model_compiler.graph.class_output import find_class_output, with_flat_class_output
from model_compiler.stages.graft import graft_classifier
from tests.model_compiler.proposal.exports import efficientnet, network, resnet
from tests.model_compiler.small_graphs import frames, graph, node
from tests.model_compiler.tiny_detectors import RUNTIMES, Runtime, run

IMAGENET = {"mean": (0.485, 0.456, 0.406), "std": (0.229, 0.224, 0.225)}
SIZE = 64
NETWORKS = {
    "logits": resnet(size=SIZE, batch="batch"),
    "softmax": resnet(size=SIZE, batch="batch", softmax=True),
    "map": resnet(size=SIZE, batch="batch", as_map=True),
    "softmax of a map": resnet(size=SIZE, batch="batch", as_map=True, softmax=True),
    "efficientnet": efficientnet(size=SIZE),
}


def spec(**changes: object) -> InputSpec:
    return InputSpec.model_validate({"width": SIZE, "height": SIZE, **changes})


def reference(
    plain: onnx.ModelProto, at: InputSpec, images: NDArray[np.uint8], *, softmax: bool
) -> NDArray[np.float64]:
    ordered = images[..., ::-1] if at.color == "bgr" else images
    values = (ordered.astype(np.float64) * at.scale - at.mean) / at.std
    answer = run(plain, "onnxruntime", np.ascontiguousarray(values.transpose(0, 3, 1, 2), np.float32))
    raw = np.asarray(answer.reshape(len(images), -1), np.float64)
    if not softmax:
        return raw
    exponentials = np.exp(raw - raw.max(axis=1, keepdims=True))
    return np.asarray(exponentials / exponentials.sum(axis=1, keepdims=True))


@pytest.mark.parametrize("runtime", RUNTIMES)
@pytest.mark.parametrize("kind", NETWORKS)
def test_probabilities_equal_those_of_the_host(kind: str, runtime: Runtime) -> None:
    plain, at = NETWORKS[kind], spec(**IMAGENET, color="bgr")
    grafted = graft_classifier(plain, at, classes=5)
    for batch in (1, 3):
        images = frames(batch, height=SIZE, width=SIZE, seed=batch)
        answer = run(grafted, runtime, images)
        assert answer.shape == (batch, 5)
        np.testing.assert_allclose(answer.sum(axis=1), 1.0, atol=1e-5)
        np.testing.assert_allclose(answer, reference(plain, at, images, softmax="softmax" not in kind), atol=1e-4)


@pytest.mark.parametrize("runtime", RUNTIMES)
@pytest.mark.parametrize("softmax", [False, True])
def test_nan_reaches_every_probability_of_its_picture_and_no_other(runtime: Runtime, softmax: bool) -> None:
    plain = _nan_of_black(softmax=softmax)
    images = frames(2, height=8, width=8)
    images[0] = 0
    answer = run(graft_classifier(plain, InputSpec(width=8, height=8)), runtime, images)
    assert np.isnan(answer[0]).all()
    assert np.isfinite(answer[1]).all()


def _nan_of_black(*, softmax: bool) -> onnx.ModelProto:
    """The mean of each channel, of which the first is divided by itself."""
    nodes = [
        node("GlobalAveragePool", ["x"], ["means"]),
        node("Flatten", ["means"], ["flat"]),
        node("Split", ["flat", "parts"], ["first", "others"], axis=1),
        node("Div", ["first", "first"], ["one_or_nan"]),
        node("Concat", ["one_or_nan", "others"], ["values" if softmax else "y"], axis=1),
        *([node("Softmax", ["values"], ["y"], axis=1)] if softmax else []),
    ]
    return graph(nodes, weights={"parts": np.array([1, 2])}, output=["batch", 3])


def test_a_softmax_in_steps_and_behind_a_change_of_shape_is_seen() -> None:
    net = network()
    flat = net.add("Flatten", net.add("GlobalAveragePool", "images"))
    exponentials = net.add("Exp", flat)
    total = net.add("ReduceSum", exponentials, net.integers(1), keepdims=1)
    steps = net.model({"y": (net.add("Div", exponentials, total), ["n", 3])}, size=["n", 3, 8, 8])
    assert find_class_output(steps).is_softmax
    assert find_class_output(resnet(size=SIZE, softmax=True, as_map=True)).is_softmax
    assert not find_class_output(resnet(size=SIZE)).is_softmax


def test_open_sizes_of_the_output_are_found() -> None:
    model = resnet(size=SIZE, batch="n", as_map=True)
    for axis, name in zip(model.graph.output[0].type.tensor_type.shape.dim[1:], ("a", "b", "c"), strict=True):
        axis.dim_param = name
    found = find_class_output(model)
    assert (found.classes, found.is_map) == (5, True)


def test_a_flattened_output_keeps_its_name_and_values() -> None:
    plain = resnet(size=SIZE, as_map=True)
    flat = with_flat_class_output(plain, find_class_output(plain))
    onnx.checker.check_model(flat, full_check=True)
    picture = np.random.default_rng(0).random((1, 3, SIZE, SIZE), np.float32)
    assert flat.graph.output[0].name == plain.graph.output[0].name
    np.testing.assert_array_equal(run(flat, "onnxruntime", picture), run(plain, "onnxruntime", picture)[:, :, 0, 0])
    assert with_flat_class_output(flat, find_class_output(flat)) is flat


@pytest.mark.parametrize("taken", ["images", "probabilities"])
def test_names_of_the_network_do_not_collide(taken: str) -> None:
    plain = resnet(size=SIZE)
    plain.graph.output[0].name = taken + "_raw"
    plain.graph.node.append(helper.make_node("Identity", [plain.graph.node[-1].output[0]], [taken + "_raw"]))
    at = spec()
    images = frames(1, height=SIZE, width=SIZE)
    answer = run(graft_classifier(plain, at), "onnxruntime", images)
    np.testing.assert_allclose(answer, reference(plain, at, images, softmax=True), atol=1e-5)


@pytest.mark.parametrize(
    ("model", "options", "said"),
    [
        (resnet(size=SIZE), {"classes": 4}, "with C = 4 labels, the model has 'logits' FP32 [1,5]"),
        (resnet(size=SIZE, classes=1), {}, "expected one FP32 tensor [N,C]"),
        (resnet(size=SIZE), {"output": "scores"}, "expected an output called 'scores'"),
        (graph([node("Relu", ["x"], ["y"])]), {}, "[?,3,8,8]"),
    ],
)
def test_another_output_is_refused(model: onnx.ModelProto, options: dict[str, object], said: str) -> None:
    with pytest.raises(UnexpectedTensor, match=r"^output: ") as caught:
        graft_classifier(model, spec(), **options)  # type: ignore[arg-type]
    assert said in str(caught.value)


def test_a_sigmoid_is_refused() -> None:
    net = network()
    flat = net.add("Flatten", net.add("GlobalAveragePool", "images"))
    model = net.model({"y": (net.add("Sigmoid", flat), [1, 3])}, size=[1, 3, 8, 8])
    with pytest.raises(UnexpectedTensor, match="exactly one is right"):
        find_class_output(model)
