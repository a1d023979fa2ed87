"""Whether a graph is one that standard ONNX runtimes compute: known operators, known versions, finite weights."""

from collections.abc import Iterator, Sequence

import numpy as np
import onnx
from onnx import TensorProto, defs, helper, numpy_helper

from model_compiler.errors import InvalidWeights, UnsupportedModel, UnsupportedNode
from model_compiler.graph.node_names import described

STANDARD_DOMAINS = frozenset({"", "ai.onnx"})
CONTRIBUTED_DOMAIN = "com.microsoft"
"""Operators of ONNX Runtime: its quantiser writes some (``MatMulNBits``), and only it computes them."""
_WEIGHTED = frozenset(
    {
        *("Conv", "ConvTranspose", "Gemm", "MatMul", "PRelu", "QuantizeLinear", "DequantizeLinear"),
        *("BatchNormalization", "InstanceNormalization", "LayerNormalization", "GroupNormalization"),
    }
)
"""Operators that infinite weights make useless; elsewhere infinity is a mask or an open bound (``Where``, ``Clip``)."""
_FLOATS = frozenset({TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.DOUBLE, TensorProto.BFLOAT16})


def check_graph(model: onnx.ModelProto) -> None:
    """Check operators and weights; worth doing before ONNX's own checker, which does not always name the node.

    Raises:
        UnsupportedNode: An operator is unknown, or is in a domain that no runtime here has.
        UnsupportedModel: The graph is written for a newer ONNX, or reads a tensor that nothing gives.
        InvalidWeights: A constant has NaN or infinite values.
    """
    opsets = _opsets(model)
    available = {weight.name for weight in model.graph.initializer} | {value.name for value in model.graph.input}
    available |= {weight.values.name for weight in model.graph.sparse_initializer}
    functions = {(function.domain, function.name) for function in model.functions}
    for node in model.graph.node:
        if (node.domain, node.op_type) not in functions:
            _check_operator(node, opsets)
        _check_inputs(node, available)
        available |= set(node.output)
    check_weights(model)


def _opsets(model: onnx.ModelProto) -> dict[str, int]:
    opsets = {"" if entry.domain == "ai.onnx" else entry.domain: entry.version for entry in model.opset_import}
    newest = defs.onnx_opset_version()
    if opsets.get("", 0) > newest:
        raise UnsupportedModel(
            f"the graph is written for operator set {opsets['']} of ONNX, this compiler knows up to {newest}: export it"
            f" with opset {newest} or earlier"
        )
    return opsets


def _check_operator(node: onnx.NodeProto, opsets: dict[str, int]) -> None:
    domain = "" if node.domain in STANDARD_DOMAINS else node.domain
    if domain == CONTRIBUTED_DOMAIN:
        return
    if domain:
        reason = "no runtime here has this domain; export without custom operators"
        raise UnsupportedNode(described(node), node.op_type, domain, reason)
    version = opsets.get("", 1)
    try:
        schema = defs.get_schema(node.op_type, version, "")
    except defs.SchemaError as error:
        raise UnsupportedNode(described(node), node.op_type, "ai.onnx", _why_unknown(node.op_type, version)) from error
    if schema.deprecated:
        reason = f"it is deprecated in operator set {version}; export again with a current exporter"
        raise UnsupportedNode(described(node), node.op_type, "ai.onnx", reason)


def _why_unknown(op: str, version: int) -> str:
    if not defs.has(op, ""):
        return "ONNX has no such operator"
    since = min(schema.since_version for schema in defs.get_all_schemas_with_history() if schema.name == op)
    return f"ONNX has it from operator set {since} on, the graph is written for {version}; export with opset {since}"


def _check_inputs(node: onnx.NodeProto, available: set[str]) -> None:
    missing = [name for name in node.input if name and name not in available]
    if missing:
        raise UnsupportedModel(
            f"{described(node)} reads {missing[0]!r}, which is neither an input, nor weights, nor given by a node"
            " before it: the graph is damaged or not in order"
        )


def check_weights(model: onnx.ModelProto) -> None:
    """Check that no constant holds NaN, and that no weights are infinite.

    Raises:
        InvalidWeights: One does.
    """
    readers: dict[str, list[onnx.NodeProto]] = {}
    for node in model.graph.node:
        for name in node.input:
            readers.setdefault(name, []).append(node)
    for tensor, name in _constants(model.graph):
        if tensor.data_type in _FLOATS and tensor.data_location != TensorProto.EXTERNAL:
            _check_finite(tensor, name, readers.get(name, []))


def _check_finite(tensor: onnx.TensorProto, name: str, readers: Sequence[onnx.NodeProto]) -> None:
    values = numpy_helper.to_array(tensor).astype(np.float64)
    nan_count, infinite_count = int(np.isnan(values).sum()), int(np.isinf(values).sum())
    weights = any(node.op_type in _WEIGHTED for node in readers)
    if nan_count or (infinite_count and weights):
        reader = described(readers[0]) if readers else "no node"
        raise InvalidWeights(name, reader, nan_count=nan_count, infinite_count=infinite_count, size=values.size)


def _constants(graph: onnx.GraphProto) -> Iterator[tuple[onnx.TensorProto, str]]:
    yield from ((weight, weight.name) for weight in graph.initializer)
    for node in graph.node:
        for attribute in node.attribute:
            if node.op_type == "Constant" and attribute.name == "value":
                yield helper.get_attribute_value(attribute), node.output[0]
