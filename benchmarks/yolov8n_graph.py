"""A detector of the size and operator mix of YOLOv8n, with random weights, for measuring how fast it is served.

Stem and four stages of stride-2 convolutions with split-and-concatenate bottlenecks, pyramid pooling, a path
aggregation neck with nearest-neighbour upsampling, and a decoupled head with distribution focal boxes for 80 classes:
3.15 M parameters, 4.37 G multiply-adds at 640x640. The weights are seeded noise, scaled so that activations keep their
size and a few of the best 300 candidates pass a threshold of 0.25.

Run it to write the graph: ``python -m benchmarks.yolov8n_graph --size 640x640 model.onnx``.
"""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

CLASSES = 80
STRIDES = (8, 16, 32)
_OPSET, _IR_VERSION = 17, 8
_BINS = 16
_BOX_WIDTH, _CLASS_WIDTH = 64, 80
# SiLU halves the mean square of large activations: weights of variance 2 / fan_in keep their size
_SILU_SECOND_MOMENT = 0.5
# found by trying: pixels enter, and scores and boxes leave, with a spread like that of a trained network
_STEM_GAIN = 4.0
_CLASS_GAIN, _CLASS_BIAS = 0.2, -8.6
_BOX_GAIN = 0.15


@dataclass(frozen=True)
class GraphCost:
    """What a graph costs: learned numbers, and multiply-adds of its convolutions for one frame."""

    parameters: int
    multiply_adds: int

    @property
    def gflops(self) -> float:
        """Billions of floating point operations per frame, two per multiply-add."""
        return 2 * self.multiply_adds / 1e9


@dataclass
class _Tensor:
    name: str
    channels: int
    height: int
    width: int


@dataclass
class _Network:
    """Nodes and weights written so far."""

    rng: np.random.Generator
    nodes: list[onnx.NodeProto] = field(default_factory=list)
    weights: list[onnx.TensorProto] = field(default_factory=list)
    multiply_adds: int = 0
    parameters: int = 0

    def constant(self, values: NDArray[np.generic]) -> str:
        name = f"w{len(self.weights)}"
        self.weights.append(numpy_helper.from_array(values, name))
        return name

    def node(self, op: str, inputs: Sequence[str], *, outputs: int = 1, **attributes: Any) -> list[str]:
        index = len(self.nodes)
        names = [f"t{index}"] if outputs == 1 else [f"t{index}_{part}" for part in range(outputs)]
        self.nodes.append(helper.make_node(op, list(inputs), names, name=f"{op}_{index}", **attributes))
        return names

    def op(self, op: str, *inputs: str, **attributes: Any) -> str:
        return self.node(op, inputs, **attributes)[0]

    def convolution(
        self, x: _Tensor, channels: int, kernel: int, *, stride: int = 1, gain: float = 1.0, bias: float = 0.0
    ) -> _Tensor:
        """A convolution with bias; `gain` scales the weights, `bias` is the same for all channels."""
        spread = gain / np.sqrt(_SILU_SECOND_MOMENT * x.channels * kernel * kernel)
        weights = self.rng.standard_normal((channels, x.channels, kernel, kernel)) * spread
        biases = np.full(channels, bias)
        self.parameters += weights.size + biases.size
        height, width = x.height // stride, x.width // stride
        self.multiply_adds += weights.size * height * width
        name = self.op(
            "Conv",
            x.name,
            self.constant(weights.astype(np.float32)),
            self.constant(biases.astype(np.float32)),
            kernel_shape=[kernel, kernel],
            strides=[stride, stride],
            pads=[kernel // 2] * 4,
        )
        return _Tensor(name, channels, height, width)

    def block(self, x: _Tensor, channels: int, kernel: int, *, stride: int = 1, gain: float = 1.0) -> _Tensor:
        """A convolution and SiLU."""
        y = self.convolution(x, channels, kernel, stride=stride, gain=gain)
        return _Tensor(self.op("Mul", y.name, self.op("Sigmoid", y.name)), channels, y.height, y.width)

    def concat(self, *parts: _Tensor) -> _Tensor:
        name = self.op("Concat", *(part.name for part in parts), axis=1)
        return _Tensor(name, sum(part.channels for part in parts), parts[0].height, parts[0].width)

    def split_block(self, x: _Tensor, channels: int, *, bottlenecks: int, shortcut: bool) -> _Tensor:
        """Halve the channels, send one half through bottlenecks, and join everything that was on the way."""
        y = self.block(x, channels, 1)
        half = channels // 2
        names = self.node("Split", [y.name, self.constant(np.array([half, half], np.int64))], outputs=2, axis=1)
        parts = [_Tensor(name, half, y.height, y.width) for name in names]
        for _ in range(bottlenecks):
            inner = self.block(self.block(parts[-1], half, 3), half, 3)
            if shortcut:
                inner.name = self.op("Add", parts[-1].name, inner.name)
            parts.append(inner)
        return self.block(self.concat(*parts), channels, 1)

    def pyramid_pooling(self, x: _Tensor) -> _Tensor:
        parts = [self.block(x, x.channels // 2, 1)]
        for _ in range(3):
            last = parts[-1]
            pooled = self.op("MaxPool", last.name, kernel_shape=[5, 5], strides=[1, 1], pads=[2] * 4)
            parts.append(_Tensor(pooled, last.channels, last.height, last.width))
        return self.block(self.concat(*parts), x.channels, 1)

    def upsample(self, x: _Tensor) -> _Tensor:
        factors = self.constant(np.array([1, 1, 2, 2], np.float32))
        name = self.op(
            "Resize",
            x.name,
            "",
            factors,
            mode="nearest",
            nearest_mode="floor",
            coordinate_transformation_mode="asymmetric",
        )
        return _Tensor(name, x.channels, x.height * 2, x.width * 2)


def build_yolov8n_sized(width: int, height: int, *, seed: int = 0) -> onnx.ModelProto:
    """The graph in its plain form, with a dynamic batch axis.

    Args:
        width: input width in pixels, a multiple of 32.
        height: input height in pixels, a multiple of 32.
        seed: of the weights.

    Returns:
        Input ``images`` FP32 [N,3,H,W] in 0..1; output ``predictions`` FP32 [N,84,A]: cx, cy, w, h in input pixels,
        then 80 scores in 0..1; A = H W (1/8^2 + 1/16^2 + 1/32^2).

    Raises:
        ValueError: A side is not a positive multiple of 32.
    """
    return _build(width, height, seed)[0]


def cost_of_yolov8n_sized(width: int, height: int) -> GraphCost:
    """Parameters and multiply-adds of ``build_yolov8n_sized`` at this size."""
    network = _build(width, height, 0)[1]
    return GraphCost(network.parameters, network.multiply_adds)


def _build(width: int, height: int, seed: int) -> tuple[onnx.ModelProto, _Network]:
    if min(width, height) < 32 or width % 32 or height % 32:
        raise ValueError(f"width and height must be positive multiples of 32, got {width}x{height}")
    network = _Network(np.random.default_rng(seed))
    levels = _neck(network, *_backbone(network, _Tensor("images", 3, height, width)))
    _head(network, levels)
    anchors = sum(level.height * level.width for level in levels)
    graph = helper.make_graph(
        network.nodes,
        "yolov8n_sized",
        [helper.make_tensor_value_info("images", TensorProto.FLOAT, ["batch", 3, height, width])],
        [helper.make_tensor_value_info("predictions", TensorProto.FLOAT, ["batch", 4 + CLASSES, anchors])],
        network.weights,
    )
    opsets = [helper.make_opsetid("", _OPSET)]
    return helper.make_model(graph, producer_name="outpost", opset_imports=opsets, ir_version=_IR_VERSION), network


def _backbone(network: _Network, images: _Tensor) -> tuple[_Tensor, _Tensor, _Tensor]:
    x = network.block(images, 16, 3, stride=2, gain=_STEM_GAIN)
    levels = []
    for channels, bottlenecks in ((32, 1), (64, 2), (128, 2), (256, 1)):
        x = network.block(x, channels, 3, stride=2)
        x = network.split_block(x, channels, bottlenecks=bottlenecks, shortcut=True)
        levels.append(x)
    return levels[1], levels[2], network.pyramid_pooling(levels[3])


def _neck(network: _Network, fine: _Tensor, middle: _Tensor, coarse: _Tensor) -> tuple[_Tensor, _Tensor, _Tensor]:
    def join(a: _Tensor, b: _Tensor, channels: int) -> _Tensor:
        return network.split_block(network.concat(a, b), channels, bottlenecks=1, shortcut=False)

    down_middle = join(network.upsample(coarse), middle, 128)
    out_fine = join(network.upsample(down_middle), fine, 64)
    out_middle = join(network.block(out_fine, 64, 3, stride=2), down_middle, 128)
    out_coarse = join(network.block(out_middle, 128, 3, stride=2), coarse, 256)
    return out_fine, out_middle, out_coarse


def _head(network: _Network, levels: Sequence[_Tensor]) -> None:
    flat = []
    shape = network.constant(np.array([0, 4 * _BINS + CLASSES, -1], np.int64))
    for level in levels:
        boxes = network.block(network.block(level, _BOX_WIDTH, 3), _BOX_WIDTH, 3)
        scores = network.block(network.block(level, _CLASS_WIDTH, 3), _CLASS_WIDTH, 3)
        boxes = network.convolution(boxes, 4 * _BINS, 1, gain=_BOX_GAIN)
        scores = network.convolution(scores, CLASSES, 1, gain=_CLASS_GAIN, bias=_CLASS_BIAS)
        flat.append(network.op("Reshape", network.concat(boxes, scores).name, shape))
    sizes = network.constant(np.array([4 * _BINS, CLASSES], np.int64))
    bins, logits = network.node("Split", [network.op("Concat", *flat, axis=2), sizes], outputs=2, axis=1)
    boxes_xywh = _decode_boxes(network, bins, levels)
    scores_name = network.op("Sigmoid", logits)
    network.nodes.append(
        helper.make_node("Concat", [boxes_xywh, scores_name], ["predictions"], name="predictions", axis=1)
    )


def _decode_boxes(network: _Network, bins: str, levels: Sequence[_Tensor]) -> str:
    """Distribution focal loss: each side's distance is the mean of 16 bins; distances and cell centres give boxes."""
    shape = network.constant(np.array([0, 4, _BINS, -1], np.int64))
    spread = network.op("Transpose", network.op("Reshape", bins, shape), perm=[0, 2, 1, 3])
    mean_of_bins = network.constant(np.arange(_BINS, dtype=np.float32).reshape(1, _BINS, 1, 1))
    means = network.op("Conv", network.op("Softmax", spread, axis=1), mean_of_bins)
    distances = network.op("Reshape", means, network.constant(np.array([0, 4, -1], np.int64)))
    halves = network.constant(np.array([2, 2], np.int64))
    low, high = network.node("Split", [distances, halves], outputs=2, axis=1)
    centres, strides = _cells(levels)
    centres_name = network.constant(centres)
    low = network.op("Sub", centres_name, low)
    high = network.op("Add", centres_name, high)
    middle = network.op("Mul", network.op("Add", low, high), network.constant(np.array(0.5, np.float32)))
    boxes = network.op("Concat", middle, network.op("Sub", high, low), axis=1)
    return network.op("Mul", boxes, network.constant(strides))


def _cells(levels: Sequence[_Tensor]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Cell centres (1, 2, A) in units of their stride, and strides (1, 1, A)."""
    centres, strides = [], []
    for level, stride in zip(levels, STRIDES, strict=True):
        y, x = np.mgrid[: level.height, : level.width] + 0.5
        centres.append(np.stack([x.ravel(), y.ravel()]))
        strides.append(np.full((1, level.height * level.width), stride))
    return (
        np.concatenate(centres, axis=1)[None].astype(np.float32),
        np.concatenate(strides, axis=1)[None].astype(np.float32),
    )


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.yolov8n_graph", description=__doc__.partition("\n")[0])
    parser.add_argument("--size", default="640x640", metavar="WxH", help="input size in pixels (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="seed of the weights (default: %(default)s)")
    parser.add_argument("output", type=Path, help="where the ONNX file goes")
    options = parser.parse_args(arguments)
    width, _, height = options.size.partition("x")
    onnx.save_model(build_yolov8n_sized(int(width), int(height), seed=options.seed), options.output)
    cost = cost_of_yolov8n_sized(int(width), int(height))
    print(f"{options.output}: {cost.parameters / 1e6:.2f} M parameters, {cost.gflops:.2f} GFLOPs per frame")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
