"""Zero points of the Q/DQ nodes of a graph."""

from dataclasses import dataclass

import numpy as np
import onnx
from onnx import TensorProto, numpy_helper

from model_compiler.graph.node_names import described

_QUANTIZING = frozenset({"QuantizeLinear", "DequantizeLinear"})


@dataclass(frozen=True, slots=True)
class ZeroPoint:
    """Where zero lies in the integers of one Q/DQ node.

    Attributes:
        node: The node, described.
        integers: ``uint8``, ``int8``, ...
        centred: Whether it is 0 in every channel.
    """

    node: str
    integers: str
    centred: bool


def zero_points(model: onnx.ModelProto) -> tuple[ZeroPoint, ...]:
    """Of every Q/DQ node, in the order of the graph; a node without one has an unsigned zero."""
    constants = {weight.name: weight for weight in model.graph.initializer}
    for node in model.graph.node:
        if node.op_type == "Constant":
            for attribute in node.attribute:
                if attribute.name == "value":
                    constants[node.output[0]] = attribute.t
    return tuple(_zero_point(node, constants) for node in model.graph.node if node.op_type in _QUANTIZING)


def _zero_point(node: onnx.NodeProto, constants: dict[str, onnx.TensorProto]) -> ZeroPoint:
    tensor = constants.get(node.input[2]) if len(node.input) > 2 else None
    if tensor is None:
        return ZeroPoint(described(node), "uint8", centred=True)
    integers = TensorProto.DataType.Name(tensor.data_type).lower()
    return ZeroPoint(described(node), integers, centred=not np.any(numpy_helper.to_array(tensor)))
