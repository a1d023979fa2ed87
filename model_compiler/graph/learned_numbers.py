"""How many numbers of a graph were learned: weights, biases, and what scales and shifts behind a normalisation."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod

import onnx
from onnx import TensorProto

from model_compiler.graph.multiply_adds import INTEGER_FORMS

_LEARNED_INPUTS: Mapping[str, tuple[int, ...]] = {
    **dict.fromkeys(("Conv", "ConvTranspose", "FusedConv"), (1, 2)),
    "Gemm": (0, 1, 2),
    "MatMul": (0, 1),
    **dict.fromkeys(("LSTM", "GRU", "RNN"), (1, 2, 3)),
    # mean and variance are seen in training, not learned
    "BatchNormalization": (1, 2),
    **dict.fromkeys(("InstanceNormalization", "LayerNormalization", "GroupNormalization"), (1, 2)),
    **dict.fromkeys(("RMSNormalization", "SimplifiedLayerNormalization", "PRelu"), (1,)),
    "Gather": (0,),
    "QLinearConv": (3, 8),
    "ConvInteger": (1,),
    "QLinearMatMul": (0, 3),
    "MatMulInteger": (0, 1),
    "DynamicQuantizeMatMul": (1, 4),
    "MatMulNBits": (1, 5),
}
_SAME_NUMBERS = frozenset(
    {
        *("QuantizeLinear", "DequantizeLinear", "Cast", "Identity"),
        *("Transpose", "Reshape", "Flatten", "Squeeze", "Unsqueeze"),
    }
)
_INDICES = frozenset({TensorProto.INT64, TensorProto.INT32, TensorProto.BOOL, TensorProto.STRING})
_BIAS_INPUT = {"Conv": 2, "MatMul": None, "ConvInteger": None, "MatMulInteger": None, "MatMulNBits": 5}


def learned_numbers(model: onnx.ModelProto) -> int:
    """Count the constants that feed layers, normalisations and embeddings, each once, float or quantised.

    Anchors, strides, pixel normalisation and scales of quantised tensors are constants of the graph, not learned.
    What an exporter left in ``Mul`` and ``Add`` nodes of their own cannot be told from those and is left out, except a
    bias behind a layer without one.
    """
    graph = _Graph(_constants(model), {name: node for node in model.graph.node for name in node.output})
    counts = dict[str, int]()
    for node in model.graph.node:
        for position in _LEARNED_INPUTS.get(node.op_type, ()):
            constant = graph.constant_behind(node, position)
            if constant is not None and not (node.op_type == "Gather" and _is_list_of_sizes(constant)):
                counts[constant.name] = _size(constant, node, position)
        bias = graph.bias_added_by(node) if node.op_type == "Add" else None
        if bias is not None:
            counts[bias.name] = prod(bias.dims)
    return sum(counts.values())


def _constants(model: onnx.ModelProto) -> dict[str, TensorProto]:
    constants = {weight.name: weight for weight in model.graph.initializer}
    for node in model.graph.node:
        if node.op_type == "Constant":
            for attribute in node.attribute:
                if attribute.name == "value":
                    constants[node.output[0]] = TensorProto(
                        name=node.output[0], dims=attribute.t.dims, data_type=attribute.t.data_type
                    )
    return constants


def _is_list_of_sizes(constant: TensorProto) -> bool:
    return constant.data_type in _INDICES or len(constant.dims) < 2  # an embedding is a table


def _size(constant: TensorProto, node: onnx.NodeProto, position: int) -> int:
    if node.op_type == "MatMulNBits" and position == 1:
        # several weights share a byte
        return prod(attribute.i for attribute in node.attribute if attribute.name in {"K", "N"})
    return prod(constant.dims)


@dataclass(frozen=True, slots=True)
class _Graph:
    """Constants by name, and the node that gives each tensor."""

    constants: Mapping[str, TensorProto]
    producers: Mapping[str, onnx.NodeProto]

    def constant_behind(self, node: onnx.NodeProto, position: int) -> TensorProto | None:
        """The constant that a node reads there, in this form or another."""
        if position >= len(node.input):
            return None
        return self.constants.get(self._origin(node.input[position]))

    def bias_added_by(self, node: onnx.NodeProto) -> TensorProto | None:
        """What an ``Add`` adds, where it is the bias of the layer before it."""
        for position, other in ((0, 1), (1, 0)):
            bias, layer = self.constant_behind(node, position), self._layer_behind(node.input[other])
            if bias is None or layer is None:
                continue
            size = prod(bias.dims)
            if size in self._channels(layer) and size == max(bias.dims, default=1):
                return bias
        return None

    def _origin(self, tensor: str) -> str:
        producer = self.producers.get(tensor)
        while producer is not None and producer.op_type in _SAME_NUMBERS:
            tensor = producer.input[0]
            producer = self.producers.get(tensor)
        return tensor

    def _layer_behind(self, tensor: str) -> onnx.NodeProto | None:
        """The layer without a bias that gives a tensor, perhaps as integers that are scaled first."""
        layer = self.producers.get(self._origin(tensor))
        if layer is not None and layer.op_type == "Mul":
            scaled = (self.producers.get(self._origin(name)) for name in layer.input)
            layer = next((node for node in scaled if node is not None and node.op_type in INTEGER_FORMS), None)
        if layer is None or layer.op_type not in _BIAS_INPUT:
            return None
        bias = _BIAS_INPUT[layer.op_type]
        return None if bias is not None and self.constant_behind(layer, bias) is not None else layer

    def _channels(self, layer: onnx.NodeProto) -> set[int]:
        """How many channels a layer may give: of a matrix that was transposed, either side."""
        if layer.op_type == "MatMulNBits":
            return {attribute.i for attribute in layer.attribute if attribute.name == "N"}
        found = (self.constant_behind(layer, position) for position in _LEARNED_INPUTS[layer.op_type])
        weights = [weight for weight in found if weight is not None]
        convolution = INTEGER_FORMS.get(layer.op_type, layer.op_type) == "Conv"
        return {size for weight in weights for size in (weight.dims[:1] if convolution else weight.dims[-2:])}
