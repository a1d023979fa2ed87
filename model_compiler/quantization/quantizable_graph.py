"""The form of a graph that is calibrated and that Q/DQ nodes go into: folded, with shapes, every node named."""

import tempfile
from pathlib import Path

import onnx
from onnx import version_converter
from onnxruntime.quantization.shape_inference import quant_pre_process

from model_compiler.errors import UnexpectedTensor, UnsupportedModel
from model_compiler.graph.graph_support import check_weights
from model_compiler.graph.onnx_model import TensorFacts, interface_of, opset_of, parse_model

OLDEST_OPSET = 13
"""The first whose DequantizeLinear takes a scale for each channel."""


def quantizable_graph(model: bytes) -> onnx.ModelProto:
    """Fold constants and batch normalisations, infer shapes, name nodes; the same bytes give the same graph.

    Args:
        model: Plain FP32 network with one picture input.

    Raises:
        NotOnnx: The bytes are something else.
        InvalidWeights: A weight is NaN or infinite.
        UnexpectedTensor: The input is not an FP32 [N,3,H,W] with fixed H and W.
        UnsupportedModel: The graph cannot be brought to opset 13, or ONNX Runtime does not take it.
    """
    graph = parse_model(model)
    check_weights(graph)
    picture_input(graph)
    graph = _with_channel_scales(graph)
    _name_nodes(graph)
    with tempfile.TemporaryDirectory(prefix="outpost-quantize-") as folder:
        given, result = Path(folder) / "given.onnx", Path(folder) / "prepared.onnx"
        onnx.save(graph, given)
        try:
            quant_pre_process(given, result, skip_symbolic_shape=True)
        except Exception as error:  # the runtime's exceptions share no other base
            raise UnsupportedModel(f"the graph cannot be prepared for quantisation: {error}") from error
        prepared = onnx.load(result)
    _name_nodes(prepared)
    keep_used_domains(prepared)
    return prepared


def picture_input(graph: onnx.ModelProto) -> TensorFacts:
    """The only input of a plain network, FP32 [N,C,H,W]; N may be open.

    Raises:
        UnexpectedTensor: It is another, or another size is open as well.
    """
    inputs = interface_of(graph).inputs
    expected = "one FP32 picture [N,C,H,W] of fixed C, H and W"
    if len(inputs) != 1:
        raise UnexpectedTensor("input", expected, "; ".join(map(str, inputs)) or "none")
    (facts,) = inputs
    if facts.datatype != "FP32" or len(facts.shape) != 4 or None in facts.shape[1:]:
        raise UnexpectedTensor("input", f"{expected} (export with a fixed size to quantise)", str(facts))
    return facts


def keep_used_domains(graph: onnx.ModelProto) -> None:
    """Drop the operator sets that ONNX Runtime lists in every file it saves."""
    used = {node.domain for node in graph.graph.node} | {function.domain for function in graph.functions} | {""}
    kept = [entry for entry in graph.opset_import if ("" if entry.domain == "ai.onnx" else entry.domain) in used]
    del graph.opset_import[:]
    graph.opset_import.extend(kept)


def _with_channel_scales(graph: onnx.ModelProto) -> onnx.ModelProto:
    if opset_of(graph) >= OLDEST_OPSET:
        return graph
    try:
        return version_converter.convert_version(graph, OLDEST_OPSET)
    except (RuntimeError, ValueError, onnx.checker.ValidationError) as error:
        raise UnsupportedModel(
            f"the graph is of opset {opset_of(graph)} and cannot be converted to {OLDEST_OPSET}, which quantisation"
            f" needs: {error}; export it with opset {OLDEST_OPSET} or later"
        ) from error


def _name_nodes(graph: onnx.ModelProto) -> None:
    """Quantisation addresses nodes by name, which exporters may leave out or give twice."""
    taken: set[str] = set()
    for node in graph.graph.node:
        if not node.name or node.name in taken:
            node.name = f"{node.op_type}/{node.output[0]}"
        taken.add(node.name)
