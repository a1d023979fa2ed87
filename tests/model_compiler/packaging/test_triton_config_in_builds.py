"""The check of a build accepts what `triton_config` writes, and nothing that a machine should choose."""

import hashlib
from collections.abc import Mapping

import pytest
from onnx import TensorProto, helper

from contracts.build_manifest import BuildManifest
from contracts.model_card import InputSpec, ModelCard, OutputSpec
from model_compiler.graph.onnx_model import interface_of
from model_compiler.packaging.build_check import find_problems
from model_compiler.packaging.pbtxt import write_text
from model_compiler.packaging.serving_settings import ServingSettings
from model_compiler.packaging.triton_config import triton_config
from model_compiler.variant import Backend

GRAPH = helper.make_graph(
    [
        helper.make_node("Cast", ["images"], ["floats"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMean", ["floats"], ["means"], axes=[1, 2], keepdims=0),
        helper.make_node("Softmax", ["means"], ["probabilities"]),
    ],
    "brightness",
    [helper.make_tensor_value_info("images", TensorProto.UINT8, ["batch", 8, 8, 3])],
    [helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["batch", 3])],
)
MODEL = helper.make_model(GRAPH, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
NAME = "colors-1.0.0_any-class"


def classifier_build(backend: Backend, *, extra: str = "") -> Mapping[str, bytes]:
    model = MODEL.SerializeToString()
    card = ModelCard(
        model="colors",
        version="1.0.0",
        hardware_class="any-class",
        task="classification",
        labels=("red", "green", "blue"),
        input=InputSpec(width=8, height=8),
        output=OutputSpec(name="probabilities", decoder="probabilities"),
        files={"model.onnx": hashlib.sha256(model).hexdigest()},
    )
    config = write_text(triton_config(card, interface_of(MODEL), ServingSettings(), backend=backend)) + extra
    files = {"config.pbtxt": config.encode(), "card.json": card.model_dump_json().encode(), "1/model.onnx": model}
    digests = {path: hashlib.sha256(data).hexdigest() for path, data in files.items()}
    manifest = BuildManifest(build=NAME, files=digests)
    return files | {"manifest.json": manifest.model_dump_json().encode()}


@pytest.mark.parametrize("backend", ["onnxruntime", "openvino", "tensorrt"])
def test_a_build_of_every_backend_is_sound(backend: Backend) -> None:
    assert find_problems(NAME, classifier_build(backend)) == ()


@pytest.mark.parametrize(
    ("group", "chosen"),
    [("count: 2", "count"), ("gpus: [0]", "gpus"), ('kind: KIND_CPU host_policy: "one"', "host_policy")],
)
def test_what_the_machine_chooses_is_refused(group: str, chosen: str) -> None:
    files = classifier_build("openvino", extra=f"instance_group {{ {group} }}\n")
    assert find_problems(NAME, files) == (
        f"config.pbtxt sets {chosen} in instance_group, which is chosen by the machine that loads it",
    )


def test_the_kind_of_accelerator_is_no_choice_of_the_machine() -> None:
    assert find_problems(NAME, classifier_build("openvino", extra="instance_group { kind: KIND_CPU }\n")) == ()
