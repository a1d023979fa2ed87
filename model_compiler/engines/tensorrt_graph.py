"""Fits a graph to what TensorRT takes. Pure: it needs neither TensorRT nor a GPU."""

import onnx
from onnx import TensorProto, checker, helper

from model_compiler.engines.errors import UnsupportedByRuntime
from model_compiler.engines.quantized_nodes import zero_points
from model_compiler.graph.graph_support import CONTRIBUTED_DOMAIN
from model_compiler.graph.node_names import described, first_sentence
from model_compiler.graph.onnx_model import parse_model

_MOVES_ONLY = frozenset({"Transpose", "Gather", "Reshape", "Slice", "Squeeze", "Unsqueeze", "Identity", "Split"})


def for_tensorrt(model: bytes) -> bytes:
    """The same function in a form that TensorRT takes.

    TensorRT reads unsigned bytes only from the network's inputs and only to cast them, and it quantises symmetrically:
    https://docs.nvidia.com/deeplearning/tensorrt/latest/_static/python-api/infer/FoundationalTypes/DataType.html

    Raises:
        UnsupportedByRuntime: A node is ONNX Runtime's own, quantises with a zero point other than 0 or to unsigned
            integers, or computes with the bytes of an input.
    """
    parsed = parse_model(model, check=False)
    for node in parsed.graph.node:
        if node.domain == CONTRIBUTED_DOMAIN:
            reason = f"operator {node.op_type} is ONNX Runtime's own: take the graph before it was prepared for it"
            raise UnsupportedByRuntime("tensorrt", described(node), reason)
    for point in zero_points(parsed):
        if not point.centred or point.integers.startswith("u"):
            reason = f"it quantises to {point.integers} {'around 0' if point.centred else 'with a zero point'}"
            raise UnsupportedByRuntime(
                "tensorrt", point.node, f"{reason}, TensorRT takes int8 around 0: quantise symmetrically (S8S8)"
            )
    moved = {value.name: _moved_tensors(parsed.graph, value.name) for value in parsed.graph.input if _is_bytes(value)}
    if all(tensors == {name} for name, tensors in moved.items()):
        return model
    for name, tensors in moved.items():
        _cast_first(parsed.graph, name, tensors)
    try:
        checker.check_model(parsed, full_check=True)
    except (checker.ValidationError, onnx.shape_inference.InferenceError) as error:
        raise UnsupportedByRuntime("tensorrt", None, first_sentence(str(error))) from error
    changed: bytes = parsed.SerializeToString(deterministic=True)
    return changed


def _is_bytes(value: onnx.ValueInfoProto) -> bool:
    return bool(value.type.tensor_type.elem_type == TensorProto.UINT8)


def _cast_first(graph: onnx.GraphProto, name: str, moved: set[str]) -> None:
    """Cast an input to floats before anything else; casts further on then have nothing left to do."""
    floats = f"{name}/float"
    for node in graph.node:
        if node.op_type != "Cast":
            node.input[:] = [floats if read == name else read for read in node.input]
    graph.node.insert(0, helper.make_node("Cast", [name], [floats], name=f"{name}/Cast", to=TensorProto.FLOAT))
    kept = [info for info in graph.value_info if info.name not in moved]
    del graph.value_info[:]
    graph.value_info.extend(kept)


def _moved_tensors(graph: onnx.GraphProto, name: str) -> set[str]:
    """The tensors that hold the input's bytes in another order, the input included."""
    moved = {name}
    for node in graph.node:
        if not moved.intersection(node.input) or node.op_type == "Cast":
            continue
        if node.op_type not in _MOVES_ONLY:
            reason = f"it computes with the unsigned bytes of input {name!r}, which TensorRT only casts"
            raise UnsupportedByRuntime("tensorrt", described(node), reason)
        moved |= set(node.output)
    return moved
