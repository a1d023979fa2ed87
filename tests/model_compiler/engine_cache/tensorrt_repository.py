"""A state folder with small TensorRT builds, and a GPU that is a stand-in."""

import hashlib
from pathlib import Path

import numpy as np
from onnx import ModelProto, TensorProto, helper, numpy_helper

from contracts.build_manifest import BuildManifest
from contracts.build_name import BuildName
from contracts.model_card import InputSpec, ModelCard, OutputSpec
from model_compiler.engines.cuda_device import CudaDevice
from model_compiler.engines.tensorrt_host import TensorRtHost
from model_compiler.graph.onnx_model import interface_of
from model_compiler.packaging.build_directory import write_build
from model_compiler.packaging.pbtxt import write_text
from model_compiler.packaging.serving_settings import ServingSettings
from model_compiler.packaging.triton_config import triton_config
from model_compiler.variant import Backend
from tests.model_compiler.engines.fake_tensorrt import FakeTensorRt

CLASS = "jetson-orin-nx"
DEFECTS, PARTS = f"defects-1.0.0_{CLASS}", f"parts-1.0.0_{CLASS}"
ORIN = CudaDevice("Orin", "8.7", "12.6")


def host(api: FakeTensorRt | None = None, device: CudaDevice = ORIN) -> TensorRtHost:
    return TensorRtHost(api or FakeTensorRt(), device)


def classifier(factor: float = 1.0) -> ModelProto:
    graph = helper.make_graph(
        [
            helper.make_node("Cast", ["images"], ["floats"], to=TensorProto.FLOAT),
            helper.make_node("ReduceMean", ["floats"], ["means"], axes=[1, 2], keepdims=0),
            helper.make_node("Mul", ["means", "factor"], ["logits"]),
        ],
        "means",
        [helper.make_tensor_value_info("images", TensorProto.UINT8, ["batch", 8, 8, 3])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", 3])],
        [numpy_helper.from_array(np.array(factor, np.float32), "factor")],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def add_build(
    state: Path, name: str, *, backend: Backend = "tensorrt", factor: float = 1.0, max_batch_size: int = 4
) -> Path:
    """Put a build into the repository of a state folder; gives its folder."""
    parsed, graph = BuildName.parse(name), classifier(factor)
    model = graph.SerializeToString()
    card = ModelCard(
        model=parsed.model,
        version=parsed.version,
        hardware_class=parsed.hardware_class,
        task="classification",
        labels=("red", "green", "blue"),
        input=InputSpec(width=8, height=8),
        output=OutputSpec(name="logits", decoder="logits"),
        files={"model.onnx": hashlib.sha256(model).hexdigest()},
    )
    serving = ServingSettings(max_batch_size=max_batch_size)
    config = write_text(triton_config(card, interface_of(graph), serving, backend=backend))
    files = {"config.pbtxt": config.encode(), "card.json": card.model_dump_json().encode(), "1/model.onnx": model}
    manifest = BuildManifest(build=name, files={path: hashlib.sha256(data).hexdigest() for path, data in files.items()})
    return write_build(name, files | {"manifest.json": manifest.model_dump_json().encode()}, state / "repository")
