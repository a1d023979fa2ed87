"""Camera pixels that are scaled to floats and quantised straight back: they were the right integers before."""

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, numpy_helper

from model_compiler.graph.onnx_model import parse_model

_MOVES_ONLY = frozenset({"Transpose", "Gather", "Identity"})
WHITE = 255


def pass_pixels_through(model: bytes) -> bytes:
    """Let a quantised network read the pixels of a grafted graph as they are, where that is exact.

    Looks for ``pixels -> Cast -> Mul -> Add -> QuantizeLinear`` that gives every pixel back, 0 to 255, and reads the
    pixels instead: the largest tensors of the graph are then neither written nor read as floats. For ONNX Runtime;
    OpenVINO merges the floats into its first layer and is slower without them.

    Args:
        model: A grafted graph with Q/DQ nodes; another one comes back as it is.

    Raises:
        NotOnnx: The bytes are something else.
    """
    parsed = parse_model(model, check=False)
    graph = parsed.graph
    weights = {weight.name: weight for weight in graph.initializer}
    makers = {name: node for node in graph.node for name in node.output}
    same = {
        node.output[0]: pixels
        for node in graph.node
        if node.op_type == "QuantizeLinear" and (pixels := _pixels_of(node, graph, makers, weights)) is not None
    }
    if not same:
        return model
    for node in graph.node:
        node.input[:] = [same.get(name, name) for name in node.input]
    _drop_unread(graph)
    onnx.checker.check_model(parsed)
    changed: bytes = parsed.SerializeToString(deterministic=True)
    return changed


def _pixels_of(
    quantize: onnx.NodeProto,
    graph: onnx.GraphProto,
    makers: dict[str, onnx.NodeProto],
    weights: dict[str, onnx.TensorProto],
) -> str | None:
    """The uint8 tensor that this node gives back, if it does."""
    constants = [weights.get(name) for name in quantize.input[1:]]
    if len(constants) != 2 or constants[0] is None or constants[1] is None:
        return None
    if constants[1].data_type != TensorProto.UINT8 or numpy_helper.to_array(constants[1]).any():
        return None
    gain, shift = np.ones(1, np.float32), np.zeros(1, np.float32)
    node = makers.get(quantize.input[0])
    if node is not None and node.op_type == "Add" and node.input[1] in weights:
        shift = numpy_helper.to_array(weights[node.input[1]])
        node = makers.get(node.input[0])
    if node is not None and node.op_type == "Mul" and node.input[1] in weights:
        gain = numpy_helper.to_array(weights[node.input[1]])
        node = makers.get(node.input[0])
    if node is None or node.op_type != "Cast" or not _is_bytes(node.input[0], graph, makers):
        return None
    scale = numpy_helper.to_array(constants[0])
    return str(node.input[0]) if _gives_back(gain, shift, scale) else None


def _gives_back(gain: NDArray[np.float32], shift: NDArray[np.float32], scale: NDArray[np.float32]) -> bool:
    if scale.size != 1:
        return False
    pixels = np.arange(WHITE + 1, dtype=np.float64)
    rows = (pixels * gain.reshape(-1, 1) + shift.reshape(-1, 1)) / float(scale.reshape(-1)[0])
    return bool((np.round(rows) == pixels).all())


def _is_bytes(tensor: str, graph: onnx.GraphProto, makers: dict[str, onnx.NodeProto]) -> bool:
    while tensor in makers and makers[tensor].op_type in _MOVES_ONLY:
        tensor = makers[tensor].input[0]
    return any(value.name == tensor and value.type.tensor_type.elem_type == TensorProto.UINT8 for value in graph.input)


def _drop_unread(graph: onnx.GraphProto) -> None:
    read = {value.name for value in graph.output}
    kept = []
    for node in reversed(graph.node):
        if read.intersection(node.output):
            kept.append(node)
            read |= set(node.input)
    weights = [weight for weight in graph.initializer if weight.name in read]
    del graph.node[:], graph.initializer[:]
    graph.node.extend(reversed(kept))
    graph.initializer.extend(weights)
