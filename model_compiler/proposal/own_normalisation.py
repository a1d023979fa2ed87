"""What a network does to its pixels itself, before its first layer."""

from dataclasses import dataclass

import numpy as np
import onnx

from model_compiler.graph.graph_editor import GraphEditor

_SIGNS = {"Add", "Sub"}
_FACTORS = {"Mul", "Div"}
_LARGEST_UNIT_SCALE = 0.02
"""1/255 and 1/127.5 are below it, the deviations of normalised pixels far above."""


@dataclass(frozen=True, slots=True)
class OwnNormalisation:
    """Whether the graph scales pixels from 0..255 down, and whether it subtracts a mean."""

    scales: bool = False
    centres: bool = False


def find_own_normalisation(model: onnx.ModelProto, picture: str) -> OwnNormalisation:
    """Follow the picture through constant sums and products to the first layer."""
    graph, tensor, factor, centres = GraphEditor(model), picture, 1.0, False
    while len(readers := graph.consumers(tensor)) == 1:
        (node,) = readers
        if node.op_type in _SIGNS | _FACTORS:
            other = next((name for name in node.input if name != tensor), tensor)
            constant = graph.weight(other)
            if constant is None:
                break
            centres |= node.op_type in _SIGNS
            if node.op_type in _FACTORS:
                size = float(np.abs(np.asarray(constant, np.float64)).mean())
                factor *= size if node.op_type == "Mul" else 1.0 / max(size, 1e-12)
        elif node.op_type not in {"Cast", "Identity", "Transpose"}:
            break
        tensor = node.output[0]
    return OwnNormalisation(scales=factor <= _LARGEST_UNIT_SCALE, centres=centres)
