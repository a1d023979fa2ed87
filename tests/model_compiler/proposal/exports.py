"""Networks of few channels in the shapes and operators that exporters give, with seeded weights."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

Array = NDArray[Any]
DETECT_NOTES = {"author": "Ultralytics", "task": "detect", "stride": "32", "imgsz": "[640, 640]"}


@dataclass
class Network:
    """Nodes and weights written so far."""

    rng: np.random.Generator
    nodes: list[onnx.NodeProto] = field(default_factory=list)
    weights: dict[str, Array] = field(default_factory=dict)

    def weight(self, values: Array) -> str:
        name = f"weight_{len(self.weights)}"
        self.weights[name] = values
        return name

    def node(self, op: str, *inputs: str, outputs: int = 1, **attributes: Any) -> list[str]:
        names = [f"{op}_{len(self.nodes)}_{number}" for number in range(outputs)]
        self.nodes.append(helper.make_node(op, inputs, names, name=f"/{op}_{len(self.nodes)}", **attributes))
        return names

    def add(self, op: str, *inputs: str, **attributes: Any) -> str:
        return self.node(op, *inputs, **attributes)[0]

    def integers(self, *values: int) -> str:
        return self.weight(np.array(values, np.int64))

    def conv(self, tensor: str, channels: tuple[int, int], kernel: int, **attributes: Any) -> str:
        group = attributes.get("group", 1)
        fan_in = channels[0] // group * kernel * kernel
        values = self.rng.standard_normal((channels[1], channels[0] // group, kernel, kernel)) / np.sqrt(fan_in)
        bias = self.weight(self.rng.standard_normal(channels[1]).astype(np.float32) / 4)
        return self.add("Conv", tensor, self.weight(values.astype(np.float32)), bias, **attributes)

    def silu(self, tensor: str) -> str:
        return self.add("Mul", tensor, self.add("Sigmoid", tensor))

    def model(
        self,
        outputs: Mapping[str, tuple[str, list[int | str]]],
        *,
        size: list[int | str],
        notes: Mapping[str, str] | None = None,
        datatype: int = TensorProto.FLOAT,
        opset: int = 17,
    ) -> onnx.ModelProto:
        """A model with input ``images``; outputs by name, each an inner tensor and its declared shape."""
        ends = [helper.make_node("Identity", [tensor], [name]) for name, (tensor, _) in outputs.items()]
        graph = helper.make_graph(
            [*self.nodes, *ends],
            "export",
            [helper.make_tensor_value_info("images", datatype, size)],
            [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, (_, shape) in outputs.items()],
            [numpy_helper.from_array(array, name) for name, array in self.weights.items()],
        )
        made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)
        helper.set_model_props(made, dict(notes or {}))
        onnx.checker.check_model(made)
        return made


def network(seed: int = 0) -> Network:
    return Network(np.random.default_rng(seed))


def _pyramid(net: Network, tensor: str) -> list[str]:
    """Maps of 4 channels at strides 8, 16 and 32."""
    stem = net.silu(net.conv(tensor, (3, 4), 8, strides=[8, 8]))
    second = net.silu(net.conv(stem, (4, 4), 3, strides=[2, 2], pads=[1, 1, 1, 1]))
    third = net.silu(net.conv(second, (4, 4), 3, strides=[2, 2], pads=[1, 1, 1, 1]))
    return [stem, second, third]


def yolov8(
    *,
    classes: int = 3,
    size: int = 640,
    batch: int | str = 1,
    open_size: bool = False,
    notes: Mapping[str, str] | None = None,
    sigmoid: bool = True,
    fixed_reshape: bool = False,
) -> onnx.ModelProto:
    """[N,4+C,A]: boxes in pixels of the input joined with scores, as YOLOv8 and YOLO11 export it."""
    net = network()
    rows = []
    for level in _pyramid(net, "images"):
        maps = net.conv(level, (4, 4 + classes), 1)
        rows.append(net.add("Reshape", maps, net.integers(1 if fixed_reshape else 0, 4 + classes, -1)))
    joined = net.add("Concat", *rows, axis=2)
    boxes, scores = net.node("Split", joined, net.integers(4, classes), outputs=2, axis=1)
    scale = net.weight(np.full((1, 4, 1), size, np.float32))
    pixels = net.add("Mul", net.add("Sigmoid", boxes), scale)
    ends = net.add("Concat", pixels, net.add("Sigmoid", scores) if sigmoid else scores, axis=1)
    side: int | str = "height" if open_size else size
    anchors: int | str = "anchors" if open_size or isinstance(batch, str) else 21 * (size // 32) ** 2
    return net.model({"output0": (ends, [batch, 4 + classes, anchors])}, size=[batch, 3, side, side], notes=notes)


def yolov5(
    *,
    classes: int = 3,
    size: int = 640,
    batch: int | str = 1,
    notes: Mapping[str, str] | None = None,
    raw_maps: bool = False,
) -> onnx.ModelProto:
    """[N,A,5+C]: three anchors for each cell; on request with the raw maps as further outputs."""
    net = network()
    values, rows, maps = 5 + classes, [], {}
    scale = net.weight(np.array([size] * 4 + [1] * (1 + classes), np.float32))
    for index, level in enumerate(_pyramid(net, "images")):
        cells = size // (8 << index)
        raw = net.conv(level, (4, 3 * values), 1)
        parted = net.add("Reshape", raw, net.integers(0, 3, values, cells, cells))
        turned = net.add("Transpose", parted, perm=[0, 1, 3, 4, 2])
        scaled = net.add("Mul", net.add("Sigmoid", turned), scale)
        rows.append(net.add("Reshape", scaled, net.integers(0, 3 * cells * cells, values)))
        maps[f"raw{index}"] = (turned, [batch, 3, cells, cells, values])
    anchors = 63 * (size // 32) ** 2
    outputs: dict[str, Any] = {"output": (net.add("Concat", *rows, axis=1), [batch, anchors, values])}
    return net.model(outputs | (maps if raw_maps else {}), size=[batch, 3, size, size], notes=notes)


def resnet(
    *,
    classes: int = 5,
    size: int = 224,
    batch: int | str = 1,
    softmax: bool = False,
    as_map: bool = False,
    own_normalisation: bool = False,
    notes: Mapping[str, str] | None = None,
) -> onnx.ModelProto:
    """A residual classifier; on request with its softmax, an output [N,C,1,1], or ImageNet's mean subtracted inside."""
    net = network()
    tensor = "images"
    if own_normalisation:
        mean = np.array([0.485, 0.456, 0.406], np.float32).reshape(1, 3, 1, 1)
        std = np.array([0.229, 0.224, 0.225], np.float32).reshape(1, 3, 1, 1)
        tensor = net.add("Div", net.add("Sub", tensor, net.weight(mean)), net.weight(std))
    stem = net.add("Relu", net.conv(tensor, (3, 8), 7, strides=[4, 4], pads=[3, 3, 3, 3]))
    branch = net.add("Relu", net.conv(stem, (8, 8), 3, pads=[1, 1, 1, 1]))
    joined = net.add("Relu", net.add("Add", stem, net.conv(branch, (8, 8), 3, pads=[1, 1, 1, 1])))
    pooled = net.add("GlobalAveragePool", net.add("MaxPool", joined, kernel_shape=[8, 8], strides=[8, 8]))
    if as_map:
        values, shape = net.conv(pooled, (8, classes), 1), [batch, classes, 1, 1]
    else:
        matrix = net.weight(net.rng.standard_normal((classes, 8)).astype(np.float32))
        bias = net.weight(np.zeros(classes, np.float32))
        values, shape = net.add("Gemm", net.add("Flatten", pooled), matrix, bias, transB=1), [batch, classes]
    ends = net.add("Softmax", values, axis=1) if softmax else values
    return net.model({"logits": (ends, shape)}, size=[batch, 3, size, size], notes=notes)


def efficientnet(*, classes: int = 5, size: int = 224, batch: int | str = "batch") -> onnx.ModelProto:
    """A classifier of depthwise convolutions, SiLU, and squeeze-and-excitation."""
    net = network()
    stem = net.silu(net.conv("images", (3, 8), 3, strides=[2, 2], pads=[1, 1, 1, 1]))
    wide = net.silu(net.conv(stem, (8, 16), 1))
    deep = net.silu(net.conv(wide, (16, 16), 5, strides=[4, 4], pads=[2, 2, 2, 2], group=16))
    squeezed = net.silu(net.conv(net.add("ReduceMean", deep, axes=[2, 3], keepdims=1), (16, 4), 1))
    excited = net.add("Mul", deep, net.add("Sigmoid", net.conv(squeezed, (4, 16), 1)))
    narrow = net.conv(excited, (16, 8), 1)
    flat = net.add("Flatten", net.add("GlobalAveragePool", narrow))
    matrix = net.weight(net.rng.standard_normal((8, classes)).astype(np.float32) * 2)
    return net.model({"output": (net.add("MatMul", flat, matrix), [batch, classes])}, size=[batch, 3, size, size])
