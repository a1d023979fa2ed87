"""What a graph costs to compute: multiply-adds of its weighted operators for one picture."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod

import onnx

from model_compiler.graph.node_names import described
from model_compiler.graph.tensor_shapes import Shape, tensor_shapes

WEIGHTED = frozenset({"Conv", "ConvTranspose", "Gemm", "MatMul"})
"""Operators that do nearly all the work of a network."""
INTEGER_FORMS = {
    "QLinearConv": "Conv",
    "ConvInteger": "Conv",
    "QLinearMatMul": "MatMul",
    "MatMulInteger": "MatMul",
    "DynamicQuantizeMatMul": "MatMul",
    "MatMulNBits": "MatMul",
}
"""Their integer forms."""


@dataclass(frozen=True, slots=True)
class MultiplyAdds:
    """Cost at batch 1.

    Attributes:
        by_output: Multiply-adds of each node, by the name of its first output.
        uncounted: Nodes whose shapes are not known without running the graph, described.
    """

    by_output: Mapping[str, int]
    uncounted: tuple[str, ...]

    @property
    def total(self) -> int:
        """Of all nodes; twice as many floating point operations."""
        return sum(self.by_output.values())


def count_multiply_adds(model: onnx.ModelProto) -> MultiplyAdds:
    """Count what convolutions and matrix products do; everything else is left out, as is usual."""
    shapes = tensor_shapes(model)
    by_output, uncounted = dict[str, int](), list[str]()
    for node in model.graph.node:
        if node.op_type in WEIGHTED or node.op_type in INTEGER_FORMS:
            found = _of_node(node, shapes)
            if found is None:
                uncounted.append(described(node))
            else:
                by_output[node.output[0]] = found
    return MultiplyAdds(by_output, tuple(uncounted))


def _of_node(node: onnx.NodeProto, shapes: Mapping[str, Shape]) -> int | None:
    operator = INTEGER_FORMS.get(node.op_type, node.op_type)
    first = _known(shapes, node.input[0])
    second = _known(shapes, node.input[3 if node.op_type.startswith("QLinear") else 1])
    result = _known(shapes, node.output[0])
    if operator in {"Conv", "ConvTranspose"}:
        # a weight has every input channel that it reads, and its kernel; a transposed one spreads inputs over outputs
        spread = result if operator == "Conv" else first
        return None if spread is None or second is None else prod(spread) * prod(second[1:])
    if operator == "Gemm":
        swapped = any(attribute.name == "transA" and attribute.i for attribute in node.attribute)
        return None if first is None or result is None else prod(result) * first[0 if swapped else 1]
    return None if first is None or result is None else prod(result) * first[-1]


def _known(shapes: Mapping[str, Shape], tensor: str) -> tuple[int, ...] | None:
    sizes = shapes.get(tensor)
    if sizes is None or any(size is None for size in sizes):
        return None
    return tuple(size or 0 for size in sizes)
