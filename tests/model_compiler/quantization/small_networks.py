"""Networks of a few layers with seeded weights, and frames for them."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

Array = NDArray[np.float32]
SIZE = 32


@dataclass
class NetworkBuilder:
    """Collects nodes and weights; each method gives the name of its result."""

    seed: int = 0
    nodes: list[onnx.NodeProto] = field(default_factory=list)
    weights: dict[str, NDArray[Any]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._random = np.random.default_rng(self.seed)

    def add(self, op: str, *inputs: str, name: str, **attributes: Any) -> str:
        self.nodes.append(helper.make_node(op, inputs, [f"{name}_out"], name=name, **attributes))
        return f"{name}_out"

    def weight(self, name: str, *shape: int) -> str:
        scale = np.sqrt(2 / np.prod(shape[1:])) if len(shape) > 1 else 0.1
        self.weights[name] = (self._random.standard_normal(shape) * scale).astype(np.float32)
        return name

    def constant(self, name: str, values: NDArray[Any]) -> str:
        self.weights[name] = values
        return name

    def conv(self, source: str, name: str, inputs: int, outputs: int, kernel: int = 3, stride: int = 1) -> str:
        weights = self.weight(f"{name}.weight", outputs, inputs, kernel, kernel)
        bias = self.weight(f"{name}.bias", outputs)
        pads = [kernel // 2] * 4
        return self.add("Conv", source, weights, bias, name=name, strides=[stride] * 2, pads=pads)

    def conv_relu(self, source: str, name: str, inputs: int, outputs: int, stride: int = 1) -> str:
        return self.add("Relu", self.conv(source, name, inputs, outputs, stride=stride), name=f"{name}/relu")

    def model(
        self, output: str, shape: list[Any], *, picture: tuple[Any, ...] = ("batch", 3, SIZE, SIZE), opset: int = 17
    ) -> bytes:
        self.nodes[-1].output[0] = output
        graph = helper.make_graph(
            self.nodes,
            "small",
            [helper.make_tensor_value_info("images", TensorProto.FLOAT, list(picture))],
            [helper.make_tensor_value_info(output, TensorProto.FLOAT, shape)],
            [numpy_helper.from_array(values, name) for name, values in self.weights.items()],
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)
        onnx.checker.check_model(model)
        data: bytes = model.SerializeToString(deterministic=True)
        return data


def detector(**options: Any) -> bytes:
    """A residual network and a head that gives boxes in pixels and scores: [N,4+3,64]."""
    net = NetworkBuilder()
    stem = net.conv_relu("images", "stem", 3, 8, stride=2)
    inner = net.conv_relu(stem, "inner", 8, 8)
    joined = net.add("Add", stem, inner, name="joined")
    pooled = net.add("MaxPool", joined, name="pooled", kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1])
    neck = net.conv_relu(pooled, "neck", 8, 16)
    boxes = net.conv(neck, "box_predict", 16, 4, kernel=1)
    scores = net.conv(neck, "score_predict", 16, 3, kernel=1)
    flat = net.constant("flat", np.array([0, 0, -1], np.int64))
    box_rows = net.add("Reshape", boxes, flat, name="box_rows")
    score_rows = net.add("Reshape", scores, flat, name="score_rows")
    unit = net.add("Sigmoid", box_rows, name="unit_boxes")
    size = net.constant("size", np.full((1, 4, 1), 640.0, np.float32))
    pixels = net.add("Mul", unit, size, name="box_pixels")
    probabilities = net.add("Sigmoid", score_rows, name="probabilities")
    net.add("Concat", pixels, probabilities, name="predictions", axis=1)
    return net.model("predictions", [options.get("picture", ("batch",))[0], 7, 64], **options)


def classifier(layers: int = 3) -> bytes:
    """Convolutions, global pooling and a last matrix: [N,5]."""
    net = NetworkBuilder(seed=3)
    features = net.conv_relu("images", "stem", 3, 8, stride=2)
    for index in range(layers - 1):
        features = net.conv_relu(features, f"conv{index}", 8, 8)
    pooled = net.add("GlobalAveragePool", features, name="pooled")
    flat = net.add("Flatten", pooled, name="flat")
    net.add("Gemm", flat, net.weight("last.weight", 8, 5), net.weight("last.bias", 5), name="last")
    return net.model("logits", ["batch", 5])


def matrix_network() -> bytes:
    """Patches and large matrix products, as vision transformers have: [N,64]."""
    net = NetworkBuilder(seed=4)
    patches = net.conv("images", "patches", 3, 64, kernel=1, stride=8)
    rows = net.add("Reshape", patches, net.constant("rows", np.array([0, 64, 16], np.int64)), name="rows_of")
    tokens = net.add("Transpose", rows, name="tokens", perm=[0, 2, 1])
    for index in range(3):
        weights = net.weight(f"matrix{index}.weight", 64, 64)
        tokens = net.add("Relu", net.add("MatMul", tokens, weights, name=f"matrix{index}"), name=f"relu{index}")
    net.add("ReduceMean", tokens, name="mean", axes=[1], keepdims=0)
    return net.model("features", ["batch", 64])


@dataclass(frozen=True)
class RandomFrames:
    """Calibration inputs of smooth seeded noise."""

    count: int = 12
    seed: int = 7
    backwards: bool = False
    channels: int = 3
    sha256: str = "5" * 64

    def __len__(self) -> int:
        return self.count

    def __iter__(self) -> Iterator[Array]:
        random = np.random.default_rng(self.seed)
        coarse = random.random((self.count, self.channels, 4, 4), dtype=np.float32)
        frames = np.kron(coarse, np.ones((1, 1, SIZE // 4, SIZE // 4), np.float32))
        ordered = frames[::-1] if self.backwards else frames
        return iter([frame[np.newaxis] for frame in ordered])

    def first(self, count: int) -> "RandomFrames":
        return RandomFrames(min(count, self.count), self.seed, self.backwards, self.channels)


def batch(count: int = 4, seed: int = 11) -> Array:
    return np.concatenate(list(RandomFrames(count, seed)))


def run(model: bytes, images: NDArray[Any]) -> Array:
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    (name,) = [value.name for value in session.get_inputs()]
    return np.asarray(session.run(None, {name: images})[0], np.float32)
