import json
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import helper

from benchmarks.yolov8n_graph import build_yolov8n_sized, cost_of_yolov8n_sized
from model_compiler.__main__ import main
from model_compiler.graph.inspection import inspect_file, inspect_model
from model_compiler.graph.inspection_text import inspection_json, inspection_text
from model_compiler.graph.multiply_adds import count_multiply_adds
from tests.model_compiler.proposal.exports import efficientnet, network, resnet, yolov8
from tests.model_compiler.quantization import small_networks
from tests.model_compiler.small_graphs import classifier, frames, graph, node, quantized

GOLDEN = """\
input          'x' FP32 [?,3,8,8]
output         'y' FP32 [?,4]
exported by    small 2.0
operator sets  ai.onnx 17
parameters     516
multiply-adds  0.024 million for one picture
size           2.5 kB
quantised      0 of 2 convolutions and matrix products (0%)
nodes          6
  Conv                           2
  Flatten                        1
  GlobalAveragePool              1
  Relu                           1
  Softmax                        1
metadata
  task         classify
  names        {0: 'pass', 1: 'fail'}
"""


def test_text_of_a_small_classifier() -> None:
    model = classifier(softmax=True)
    model.producer_name, model.producer_version = "small", "2.0"
    helper.set_model_props(model, {"task": "classify", "names": "{0: 'pass',\n 1: 'fail'}"})
    assert inspection_text(inspect_model(model)) + "\n" == GOLDEN


def test_json_has_every_fact(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    onnx.save_model(yolov8(), tmp_path / "model.onnx")
    assert main(["inspect", str(tmp_path / "model.onnx"), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found == inspection_json(inspect_file(tmp_path / "model.onnx"))
    assert found["inputs"] == [{"name": "images", "datatype": "FP32", "shape": [1, 3, 640, 640]}]
    assert found["operators"]["Sigmoid"] == 5
    assert found["node_count"] == sum(found["operators"].values())


def test_parameters_and_cost_equal_what_the_benchmark_graph_says_of_itself() -> None:
    model = build_yolov8n_sized(width=64, height=64)
    found, cost = inspect_model(model), cost_of_yolov8n_sized(64, 64)
    assert found.parameter_count == pytest.approx(cost.parameters, rel=1e-3)
    # the benchmark leaves out the mean over 16 bins that makes each of 4 sides of 84 boxes
    assert found.multiply_adds == cost.multiply_adds + 16 * 4 * 84


@pytest.mark.parametrize(
    ("op", "inputs", "weights", "attributes", "expected"),
    [
        ("Conv", ["x", "w"], {"w": (6, 3, 3, 3)}, {"pads": [1, 1, 1, 1]}, 6 * 8 * 8 * 27),
        ("Conv", ["x", "w"], {"w": (6, 1, 3, 3)}, {"group": 3}, 6 * 6 * 6 * 9),
        ("ConvTranspose", ["x", "w"], {"w": (3, 5, 2, 2)}, {"strides": [2, 2]}, 3 * 8 * 8 * 5 * 4),
        ("MatMul", ["x", "w"], {"w": (8, 7)}, {}, 3 * 8 * 7 * 8),
    ],
)
def test_cost_of_one_operator(
    op: str, inputs: list[str], weights: dict[str, tuple[int, ...]], attributes: dict[str, object], expected: int
) -> None:
    arrays = {name: np.ones(shape, np.float32) for name, shape in weights.items()}
    model = graph([node(op, inputs, ["y"], **attributes)], weights=arrays, output=["batch", "c", "h", "w"])
    assert count_multiply_adds(model).total == expected


def test_cost_of_a_gemm_and_of_the_batch() -> None:
    dynamic = efficientnet(size=64)
    assert count_multiply_adds(dynamic).total == count_multiply_adds(efficientnet(size=64, batch=1)).total
    assert count_multiply_adds(resnet(size=64)).uncounted == ()


def test_the_cost_of_each_layer_is_known_by_what_it_gives() -> None:
    found = count_multiply_adds(onnx.load_from_string(small_networks.classifier()))
    assert found.by_output["stem_out"] == 16 * 16 * 8 * 3 * 9
    assert found.by_output["conv0_out"] == 16 * 16 * 8 * 8 * 9
    assert found.by_output["logits"] == 8 * 5
    products = count_multiply_adds(onnx.load_from_string(small_networks.matrix_network()))
    assert products.by_output["matrix0_out"] == 16 * 64 * 64
    assert products.total == sum(products.by_output.values()) == 3 * 16 * 64 * 64 + 16 * 64 * 3


def test_open_sizes_are_named() -> None:
    found = inspect_model(yolov8(batch="batch", open_size=True))
    assert found.multiply_adds == 0
    assert "(Conv, gives 'Conv_0_0')" in found.uncounted[0]
    assert "not known: the sizes of the graph are open" in inspection_text(found)


@pytest.mark.parametrize("scheme", ["u8s8", "s8s8"])
def test_quantised_nodes_and_their_parameters(scheme: str) -> None:
    plain = classifier()
    samples = frames().astype(np.float32).transpose(0, 3, 1, 2) / 255
    found = inspect_model(quantized(plain, samples, scheme=scheme))
    assert (found.quantized_nodes, found.weighted_nodes, found.quantized_share) == (2, 2, 1.0)
    assert found.parameter_count == inspect_model(plain).parameter_count
    assert found.multiply_adds == inspect_model(plain).multiply_adds


def test_weights_in_files_beside_the_model_are_counted_and_named(tmp_path: Path) -> None:
    plain = resnet(size=64)
    path = tmp_path / "model.onnx"
    onnx.save_model(plain, path, save_as_external_data=True, location="weights.bin", size_threshold=0)
    found = inspect_file(path)
    assert found.external_files == ("weights.bin",)
    assert found.parameter_count == inspect_model(plain).parameter_count
    assert "weights in     weights.bin" in inspection_text(found)
    (tmp_path / "weights.bin").unlink()
    assert main(["inspect", str(path)]) == 1


def test_long_notes_are_cut_in_text_only() -> None:
    model = classifier()
    helper.set_model_props(model, {"names": "x" * 500})
    found = inspect_model(model)
    assert max(map(len, inspection_text(found).splitlines())) < 120
    assert inspection_json(found)["metadata"]["names"] == "x" * 500


def test_a_graph_without_layers_has_no_quantised_share() -> None:
    found = inspect_model(graph([node("Relu", ["x"], ["y"])]))
    assert (found.quantized_share, found.multiply_adds) == (0.0, 0)


def test_damaged_and_foreign_files_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    net = network()
    nan = net.add("Mul", "images", net.weight(np.array(np.nan, np.float32)))
    files = {
        "missing.onnx": None,
        "pickle.onnx": b"\x80\x04rest",
        "cut.onnx": classifier().SerializeToString()[:-200],
        "nan.onnx": net.model({"y": (nan, [1, 3, 8, 8])}, size=[1, 3, 8, 8]).SerializeToString(),
        "strange.onnx": graph([node("Frobnicate", ["x"], ["y"], name="odd")]).SerializeToString(),
    }
    said = []
    for name, content in files.items():
        if content is not None:
            (tmp_path / name).write_bytes(content)
        assert main(["inspect", str(tmp_path / name)]) == 1
        said.append(capsys.readouterr().err)
    expected = (
        "does not exist",
        "Python pickle, which is never loaded",
        "cannot be parsed",
        "'weight_0'",
        "node 'odd'",
    )
    for message, part in zip(said, expected, strict=True):
        assert part in message
