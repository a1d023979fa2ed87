"""Small builds for the tests, made with the project's own compiler."""

from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from contracts.model_card import InputSpec, ModelCard, NmsSpec, OutputSpec, Thresholds

WIDTH, HEIGHT = 64, 48
LABELS = ("dark", "bright")


def brightness_detector(*, score: float = 0.9, values: float | None = None) -> onnx.ModelProto:
    """A grafted detector that finds one box in every frame: its class is 0, its score ``score`` x mean brightness.

    Args:
        score: Factor of the score.
        values: Put into every candidate instead, to make a model that answers nonsense.
    """
    empty = np.zeros((1, 300, 6), dtype=np.float32)
    if values is not None:
        empty[:] = values
    first = np.zeros((1, 300, 6), dtype=np.float32)
    first[0, 0, 4] = score / 255.0
    box = np.zeros((1, 300, 6), dtype=np.float32)
    box[0, 0, :4] = (16.0, 12.0, 48.0, 36.0)
    nodes = [
        helper.make_node("Cast", ["images"], ["pixels"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMean", ["pixels"], ["mean"], axes=[1, 2, 3], keepdims=0),
        helper.make_node("Reshape", ["mean", "column"], ["means"]),
        helper.make_node("Mul", ["means", "first"], ["scores"]),
        helper.make_node("Add", ["scores", "box"], ["found"]),
        helper.make_node("Add", ["found", "empty"], ["candidates"]),
    ]
    constants: dict[str, NDArray[np.generic]] = {
        "first": first,
        "box": box,
        "empty": empty,
        "column": np.array([-1, 1, 1], dtype=np.int64),
    }
    graph = helper.make_graph(
        nodes,
        "brightness",
        [helper.make_tensor_value_info("images", TensorProto.UINT8, ["N", HEIGHT, WIDTH, 3])],
        [helper.make_tensor_value_info("candidates", TensorProto.FLOAT, ["N", 300, 6])],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def shade_classifier(*, logits: bool = False, value: float | None = None) -> onnx.ModelProto:
    """A grafted classifier of two classes: the probability of the second one is the mean brightness.

    Args:
        logits: Answer with logits instead: 0, and the brightness from -8 to 8.
        value: Added to every output, to make a model that answers nonsense.
    """
    factor, shift = ([[0.0, 16.0 / 255.0]], [[0.0, -8.0]]) if logits else ([[-1.0 / 255.0, 1.0 / 255.0]], [[1.0, 0.0]])
    constants = {
        "factor": np.array(factor, dtype=np.float32),
        "shift": np.array(shift, dtype=np.float32) + np.float32(value or 0.0),
        "column": np.array([-1, 1], dtype=np.int64),
    }
    nodes = [
        helper.make_node("Cast", ["images"], ["pixels"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMean", ["pixels"], ["mean"], axes=[1, 2, 3], keepdims=0),
        helper.make_node("Reshape", ["mean", "column"], ["means"]),
        helper.make_node("Mul", ["means", "factor"], ["scaled"]),
        helper.make_node("Add", ["scaled", "shift"], ["classes"]),
    ]
    graph = helper.make_graph(
        nodes,
        "shade",
        [helper.make_tensor_value_info("images", TensorProto.UINT8, ["N", HEIGHT, WIDTH, 3])],
        [helper.make_tensor_value_info("classes", TensorProto.FLOAT, ["N", 2])],
        [numpy_helper.from_array(constant, name) for name, constant in constants.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def classifier_card(model: str, decoder: str = "probabilities") -> ModelCard:
    fields = card(model).model_dump() | {
        "task": "classification",
        "output": {"name": "classes", "decoder": decoder},
        "thresholds": {"default": 0.6},
    }
    return ModelCard.model_validate(fields)


def identity_model() -> onnx.ModelProto:
    """Adds one to any FP32 vector: a model that only passes through."""
    graph = helper.make_graph(
        [helper.make_node("Add", ["x", "one"], ["y"])],
        "plus one",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", 4])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["N", 4])],
        [numpy_helper.from_array(np.array([1.0], dtype=np.float32), "one")],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def echo_model() -> onnx.ModelProto:
    """Answers with the strings that it gets."""
    graph = helper.make_graph(
        [helper.make_node("Identity", ["x"], ["y"])],
        "echo",
        [helper.make_tensor_value_info("x", TensorProto.STRING, ["N", 1])],
        [helper.make_tensor_value_info("y", TensorProto.STRING, ["N", 1])],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def plain_detector() -> onnx.ModelProto:
    """The same detector without a graft: planes of floats in, predictions of the form yolov8 out."""
    base = np.zeros((1, 6, 2), dtype=np.float32)
    base[0, :4, 0] = (32.0, 24.0, 32.0, 24.0)
    factor = np.zeros((1, 6, 2), dtype=np.float32)
    factor[0, 4, 0] = 0.9
    nodes = [
        helper.make_node("ReduceMean", ["images"], ["mean"], axes=[1, 2, 3], keepdims=0),
        helper.make_node("Reshape", ["mean", "column"], ["means"]),
        helper.make_node("Mul", ["means", "factor"], ["scores"]),
        helper.make_node("Add", ["scores", "base"], ["predictions"]),
    ]
    constants: dict[str, NDArray[np.generic]] = {"factor": factor, "base": base, "column": np.array([-1, 1, 1])}
    graph = helper.make_graph(
        nodes,
        "plain",
        [helper.make_tensor_value_info("images", TensorProto.FLOAT, ["N", 3, HEIGHT, WIDTH])],
        [helper.make_tensor_value_info("predictions", TensorProto.FLOAT, ["N", 6, 2])],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def write_plain_build(folder: Path) -> None:
    """An ungrafted build."""
    from tritonclient.grpc import model_config_pb2

    spec = InputSpec(width=WIDTH, height=HEIGHT, datatype="FP32", layout="NCHW")
    output = OutputSpec(name="predictions", decoder="yolov8")
    plain = card("plain").model_copy(update={"input": spec, "output": output})
    config = model_config_pb2.ModelConfig(name=plain.build, backend="openvino", max_batch_size=8)
    config.input.add(name="images", data_type=model_config_pb2.TYPE_FP32, dims=[3, HEIGHT, WIDTH])
    config.output.add(name="predictions", data_type=model_config_pb2.TYPE_FP32, dims=[6, 2])
    config.default_model_filename = "model.onnx"
    config.parameters["outpost_card"].string_value = plain.model_dump_json()
    _write(folder / plain.build, str(config), plain_detector().SerializeToString())


def card(model: str, version: str = "1.0.0") -> ModelCard:
    return ModelCard(
        model=model,
        version=version,
        hardware_class="x86-cpu",
        labels=LABELS,
        input=InputSpec(width=WIDTH, height=HEIGHT),
        output=OutputSpec(),
        thresholds=Thresholds(default=0.2),
        nms=NmsSpec(),
    )


def write_build(folder: Path, build_card: ModelCard, model: bytes, backend: str = "onnxruntime") -> str:
    """A build directory as Triton takes it."""
    from tritonclient.grpc import model_config_pb2

    config = model_config_pb2.ModelConfig(name=build_card.build, backend=backend, max_batch_size=8)
    config.instance_group.add(kind=model_config_pb2.ModelInstanceGroup.KIND_CPU)
    config.input.add(name="images", data_type=model_config_pb2.TYPE_UINT8, dims=[HEIGHT, WIDTH, 3])
    dims = [300, 6] if build_card.task == "detection" else [len(build_card.labels)]
    config.output.add(name=build_card.output.name, data_type=model_config_pb2.TYPE_FP32, dims=dims)
    config.default_model_filename = "model.onnx"
    config.parameters["outpost_card"].string_value = build_card.model_dump_json()
    _write(folder / build_card.build, str(config), model)
    return build_card.build


def write_raw_build(folder: Path, name: str, model: bytes, datatype: str = "FP32", width: int = 4) -> None:
    """A model without a card."""
    from tritonclient.grpc import model_config_pb2

    config = model_config_pb2.ModelConfig(name=name, backend="onnxruntime", max_batch_size=8)
    data_type = model_config_pb2.DataType.Value(f"TYPE_{datatype}")
    config.input.add(name="x", data_type=data_type, dims=[width])
    config.output.add(name="y", data_type=data_type, dims=[width])
    config.default_model_filename = "model.onnx"
    _write(folder / name, str(config), model)


def _write(folder: Path, config: str, model: bytes) -> None:
    (folder / "1").mkdir(parents=True)
    (folder / "config.pbtxt").write_text(config)
    (folder / "1" / "model.onnx").write_bytes(model)
