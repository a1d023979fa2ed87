"""How much work each layer of a network is."""

import math

import onnx
from onnx import helper, shape_inference

from model_compiler.graph.onnx_model import interface_of
from model_compiler.quantization.quantized_operators import WEIGHTED_OPERATORS

Shapes = dict[str, tuple[int, ...]]


def count_multiply_accumulates(model: onnx.ModelProto) -> dict[str, int]:
    """Multiply-accumulates of convolutions and matrix products at batch 1, by the node's first output.

    Layers whose shapes cannot be inferred are left out.
    """
    shapes = _shapes_at_batch_one(model)
    counts = {}
    for node in model.graph.node:
        if node.op_type in WEIGHTED_OPERATORS and {*node.input[:2], node.output[0]} <= shapes.keys():
            counts[node.output[0]] = _work(node, shapes)
    return counts


def _work(node: onnx.NodeProto, shapes: Shapes) -> int:
    """Every value of the output is a sum over the weights that it reads."""
    first, weights, output = shapes[node.input[0]], shapes[node.input[1]], shapes[node.output[0]]
    if node.op_type == "Conv":
        return math.prod(output) * math.prod(weights[1:])
    if node.op_type == "ConvTranspose":
        return math.prod(first) * math.prod(weights[1:])
    attributes = {attribute.name: helper.get_attribute_value(attribute) for attribute in node.attribute}
    inner = first[0] if node.op_type == "Gemm" and attributes.get("transA") else first[-1]
    return math.prod(output) * inner


def _shapes_at_batch_one(model: onnx.ModelProto) -> Shapes:
    fixed = onnx.ModelProto()
    fixed.CopyFrom(model)
    del fixed.graph.value_info[:]
    names = {facts.name for facts in interface_of(model).inputs}
    for value in fixed.graph.input:
        dimensions = value.type.tensor_type.shape.dim
        if value.name in names and dimensions and not dimensions[0].dim_value:
            dimensions[0].dim_value = 1
    for value in fixed.graph.output:
        value.type.tensor_type.ClearField("shape")
    inferred = shape_inference.infer_shapes(fixed, data_prop=True).graph
    shapes = {weight.name: tuple(weight.dims) for weight in fixed.graph.initializer}
    for value in [*inferred.input, *inferred.output, *inferred.value_info]:
        sizes = tuple(axis.dim_value for axis in value.type.tensor_type.shape.dim)
        if all(sizes):
            shapes[value.name] = sizes
    return shapes
