"""Detectors of two convolutions with seeded weights, in the shapes that exporters give; each 8x8 cell is an anchor."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import onnx
import onnxruntime
import openvino
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from model_compiler.graph.detector_output import Head

Array = NDArray[np.generic]
Rows = NDArray[np.float32]
Runtime = Literal["onnxruntime", "openvino"]
RUNTIMES: tuple[Runtime, ...] = ("onnxruntime", "openvino")
CELL = 8
_CORE = openvino.Core()
_FRAGILE = {"light", "light_of_anchors", "root", "one_or_nan", "logits"}


@dataclass(frozen=True)
class TinyDetector:
    """What to build.

    Attributes:
        ending: ``sigmoid``: boxes joined with a sigmoid; ``scores``: with something else; ``hidden``: not by a join.
        padding: of the first convolution, on the left and above.
        fragile: a cell of black pixels has NaN scores.
        inner: name of an inner tensor.
        channels: between the first layer and the last.
    """

    width: int = 96
    height: int = 64
    classes: int = 5
    head: Head = "yolov8"
    ending: Literal["sigmoid", "scores", "hidden"] = "sigmoid"
    batch: int | None = None
    opset: int = 17
    padding: int = 1
    fragile: bool = False
    names: tuple[str, str] = ("images", "predictions")
    inner: str = "features"
    channels: int = 8

    @property
    def anchors(self) -> int:
        return (self.width // CELL) * (self.height // CELL)


LARGE = TinyDetector(width=192, height=160)
"""More anchors than there are candidates."""


def build(tiny: TinyDetector, *, seed: int = 0) -> onnx.ModelProto:
    batch = tiny.batch or "batch"
    values = (5 if tiny.head == "yolov5" else 4) + tiny.classes
    shape = [batch, values, tiny.anchors] if tiny.head == "yolov8" else [batch, tiny.anchors, values]
    graph = helper.make_graph(
        _nodes(tiny),
        "tiny",
        [helper.make_tensor_value_info(tiny.names[0], TensorProto.FLOAT, [batch, 3, tiny.height, tiny.width])],
        [helper.make_tensor_value_info(tiny.names[1], TensorProto.FLOAT, shape)],
        [numpy_helper.from_array(array, name) for name, array in _weights(tiny, values, seed).items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", tiny.opset)], ir_version=8)
    onnx.checker.check_model(model, full_check=True)
    return model


def _weights(tiny: TinyDetector, values: int, seed: int) -> Mapping[str, Array]:
    rng = np.random.default_rng(seed)
    width, height = tiny.width, tiny.height
    return {
        "stem": (rng.standard_normal((tiny.channels, 3, CELL, CELL)) / 4).astype(np.float32),
        "stem_bias": rng.standard_normal(tiny.channels).astype(np.float32),
        "head": rng.standard_normal((values, tiny.channels, 1, 1)).astype(np.float32),
        "size": np.array([[[width], [height], [width / 2], [height / 2]]], np.float32),
        "flat": np.array([0, values, -1], np.int64),
        "parts": np.array([4, values - 4], np.int64),
        "ones": np.ones((1, 3, CELL, CELL), np.float32),
        "row": np.array([0, 1, -1], np.int64),
    }


def _nodes(tiny: TinyDetector) -> list[onnx.NodeProto]:
    images, predictions = tiny.names
    pads = [tiny.padding, tiny.padding, 0, 0]
    chain: list[tuple[str, Sequence[str], Sequence[str], dict[str, Any]]] = [
        ("Conv", (images, "stem", "stem_bias"), ("stem_out",), {"strides": [CELL, CELL], "pads": pads}),
        ("Tanh", ("stem_out",), (tiny.inner,), {}),
        ("Conv", (tiny.inner, "head"), ("maps",), {}),
        ("Reshape", ("maps", "flat"), ("raw",), {}),
        ("Split", ("raw", "parts"), ("raw_boxes", "raw_scores"), {"axis": 1}),
        ("Sigmoid", ("raw_boxes",), ("unit_boxes",), {}),
        ("Mul", ("unit_boxes", "size"), ("boxes",), {}),
        ("Conv", (images, "ones"), ("light",), {"strides": [CELL, CELL]}),
        ("Reshape", ("light", "row"), ("light_of_anchors",), {}),
        ("Sqrt", ("light_of_anchors",), ("root",), {}),
        ("Div", ("root", "root"), ("one_or_nan",), {}),
        ("Mul", ("raw_scores", "one_or_nan"), ("logits",), {}),
        ("Sigmoid", ("logits" if tiny.fragile else "raw_scores",), ("sigmoids",), {}),
        ("Mul", ("sigmoids", "sigmoids"), ("squares",), {}),
    ]
    used = [link for link in chain if tiny.fragile or link[2][0] not in _FRAGILE]
    scores = "squares" if tiny.ending == "scores" else "sigmoids"
    plain = tiny.head == "yolov8" and tiny.ending != "hidden"
    used.append(("Concat", ("boxes", scores), (predictions if plain else "joined",), {"axis": 1}))
    if not plain:
        op, attributes = ("Abs", {}) if tiny.head == "yolov8" else ("Transpose", {"perm": [0, 2, 1]})
        used.append((op, ("joined",), (predictions,), attributes))
    return [helper.make_node(op, inputs, outputs, **attributes) for op, inputs, outputs, attributes in used]


def run(model: onnx.ModelProto, runtime: Runtime, array: Array) -> Rows:
    """The only output for the only input, in FP32 arithmetic."""
    data = model.SerializeToString()
    if runtime == "onnxruntime":
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        session = onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
        return np.asarray(session.run(None, {session.get_inputs()[0].name: array})[0], np.float32)
    hints = {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": 1}

    return np.array(_CORE.compile_model(_CORE.read_model(data), "CPU", hints)([array])[0], np.float32)


def pixels(tiny: TinyDetector, batch: int, *, seed: int = 1) -> NDArray[np.uint8]:
    """Random pictures (N, H, W, 3)."""
    return np.random.default_rng(seed).integers(1, 256, (batch, tiny.height, tiny.width, 3), dtype=np.uint8)
