"""What is read from real graphs and their metadata."""

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from model_compiler.proposal.errors import NotProposable
from model_compiler.proposal.exporter_notes import ExporterNotes, read_exporter_notes
from model_compiler.proposal.model_facts import read_model_facts
from model_compiler.proposal.own_normalisation import OwnNormalisation
from tests.model_compiler.proposal.exports import DETECT_NOTES, network, resnet, yolov5, yolov8


def test_outputs_of_open_sizes_are_found() -> None:
    facts = read_model_facts(yolov8(batch="batch", open_size=True, notes=DETECT_NOTES))
    assert facts.picture.shape == (None, 3, None, None)
    assert facts.outputs[0].shape == (None, 7, 8400)
    assert read_model_facts(yolov8(batch="batch", open_size=True), (320, 320)).outputs[0].shape == (None, 7, 2100)
    assert read_model_facts(yolov5(batch="batch")).outputs[0].shape == (None, 25200, 8)


def test_notes_of_ultralytics_and_of_yolov5() -> None:
    assert read_exporter_notes(DETECT_NOTES | {"names": "{0: 'pit', 1: 'crack'}"}) == ExporterNotes(
        author="Ultralytics", task="detect", names=("pit", "crack"), size_wh=(640, 640)
    )
    assert read_exporter_notes({"stride": "32", "names": "['pit', 'crack']"}).names == ("pit", "crack")
    assert read_exporter_notes({"names": "{'1': 'crack', '0': 'pit'}"}).names == ("pit", "crack")
    assert read_exporter_notes({"imgsz": "[480, 640]"}).size_wh == (640, 480)
    assert read_exporter_notes({"imgsz": "320"}).size_wh == (320, 320)


@pytest.mark.parametrize("value", ["__import__('os').getcwd()", "{0: 'a', 2: 'b'}", "{", "5", "{0: [", ""])
def test_unreadable_names_are_left_out_and_never_executed(value: str) -> None:
    notes = read_exporter_notes({"names": value})
    assert (notes.names, notes.unreadable) == ((), ("names",))


@pytest.mark.parametrize("value", ["[0, 640]", "[640]", "'big'", "[640, 640, 3]"])
def test_unreadable_sizes_are_left_out(value: str) -> None:
    notes = read_exporter_notes({"imgsz": value})
    assert (notes.size_wh, notes.unreadable) == (None, ("imgsz",))


@pytest.mark.parametrize("notes", [{"args": "{'nms': True}"}, {"end2end": "True"}])
def test_exports_that_select_boxes_note_it(notes: dict[str, str]) -> None:
    assert read_exporter_notes(notes).has_nms
    assert not read_exporter_notes({"args": "{'nms': False}", "end2end": "False"}).has_nms


def test_what_a_graph_does_to_its_pixels() -> None:
    assert read_model_facts(resnet()).own_normalisation == OwnNormalisation()
    assert read_model_facts(resnet(own_normalisation=True)).own_normalisation == OwnNormalisation(centres=True)
    net = network()
    unit = net.add("Div", "images", net.weight(np.array(255, np.float32)))
    shifted = net.add("Sub", unit, net.weight(np.array(0.5, np.float32)))
    model = net.model({"y": (net.conv(shifted, (3, 4), 3), [1, 4, 6, 6])}, size=[1, 3, 8, 8])
    assert read_model_facts(model).own_normalisation == OwnNormalisation(scales=True, centres=True)


def test_a_factor_that_is_computed_is_none_of_the_normalisation() -> None:
    net = network()
    peak = net.add("GlobalMaxPool", "images")
    model = net.model({"y": (net.add("Div", "images", peak), [1, 3, 8, 8])}, size=[1, 3, 8, 8])
    assert read_model_facts(model).own_normalisation == OwnNormalisation()


def test_suppression_inside_is_found_by_its_node() -> None:
    net = network()
    boxes = net.add("Reshape", "images", net.integers(1, -1, 4))
    scores = net.add("Reshape", net.add("ReduceMean", boxes, axes=[2], keepdims=0), net.integers(1, 1, -1))
    kept = net.add("Cast", net.add("NonMaxSuppression", boxes, scores), to=TensorProto.FLOAT)
    facts = read_model_facts(net.model({"kept": (kept, ["n", 3])}, size=[1, 3, 8, 8]))
    assert facts.nms_node is not None
    assert "NonMaxSuppression" in facts.nms_node


def _with_input(datatype: int, shape: list[int]) -> onnx.ModelProto:
    graph = helper.make_graph(
        [helper.make_node("Identity", ["x"], ["y"])],
        "other",
        [helper.make_tensor_value_info("x", datatype, shape)],
        [helper.make_tensor_value_info("y", datatype, shape)],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


@pytest.mark.parametrize(
    ("datatype", "shape", "said"),
    [
        (TensorProto.FLOAT16, [1, 3, 8, 8], "half=False"),
        (TensorProto.INT8, [1, 3, 8, 8], "export the float model"),
        (TensorProto.UINT8, [1, 8, 8, 3], "export the float model"),
        (TensorProto.FLOAT, [1, 8, 8, 3], "channels are last"),
        (TensorProto.FLOAT, [1, 1, 28, 28], "grey pictures"),
        (TensorProto.FLOAT, [1, 768], "one colour picture"),
        (TensorProto.FLOAT, [8, 3, 8, 8], "takes 8 pictures at a time"),
    ],
)
def test_another_input_is_refused_with_what_to_do(datatype: int, shape: list[int], said: str) -> None:
    with pytest.raises(NotProposable, match=r"^input: ") as caught:
        read_model_facts(_with_input(datatype, shape))
    assert said in str(caught.value)


def test_several_inputs_are_refused() -> None:
    model = _with_input(TensorProto.FLOAT, [1, 3, 8, 8])
    model.graph.input.append(helper.make_tensor_value_info("prompt", TensorProto.FLOAT, [1, 8]))
    with pytest.raises(NotProposable, match="only networks with one input"):
        read_model_facts(model)
