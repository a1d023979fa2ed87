"""FP16 of a network that is grafted already: the layers become half floats, what makes numbers of pixels stays FP32."""

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper, shape_inference

from model_compiler.errors import UnsupportedModel
from model_compiler.graph.onnx_model import parse_model
from model_compiler.quantization.half_float import to_float16

_OF_THE_FRONT = frozenset({"Transpose", "Gather", "Cast", "Mul", "Add", "Sub", "Div"})
_SCALE = 256.0
"""A power of two: dividing pixels and multiplying weights by it rounds nothing, and n/256 is exact in FP16."""


@dataclass(frozen=True, slots=True)
class _Front:
    """The nodes that turn pixels into the floats of the network's input, in order, and that input's name."""

    nodes: tuple[onnx.NodeProto, ...]
    planes: str


def grafted_to_float16(model: bytes) -> bytes:
    """Convert a grafted FP32 network; its front, its outputs and the decoding after the last layers stay FP32.

    A graft leaves whole pixels and puts their scale into the first weights, which makes these too small for FP16. So
    the pixels are divided by 256 before they become half floats.

    Args:
        model: FP32 network that reads pixels (see `graph.pixel_front`).

    Raises:
        ModelError: As `to_float16`.
        UnsupportedModel: Its input is not a picture that becomes floats before anything else is computed.
    """
    graph = parse_model(model)
    front = _front(graph.graph)
    network = _network(graph, front)
    scaled = _scale_first_weights(network.graph, front.planes)
    half = parse_model(to_float16(network.SerializeToString(deterministic=True)))
    _put_before(half.graph, graph.graph, front, scaled=scaled)
    onnx.checker.check_model(half, full_check=True)
    result: bytes = half.SerializeToString(deterministic=True)
    return result


def _front(graph: onnx.GraphProto) -> _Front:
    constants = _constants(graph)
    tensor, nodes, is_float = graph.input[0].name, list[onnx.NodeProto](), False
    while (node := _only_reader(graph, tensor)) is not None and node.op_type in _OF_THE_FRONT:
        if not all(name == tensor or name in constants for name in node.input):
            break
        nodes.append(node)
        tensor, is_float = node.output[0], is_float or _gives_floats(node)
    if not is_float:
        raise UnsupportedModel(
            f"the graph cannot be converted to FP16: its input {graph.input[0].name!r} does not become floats before"
            " anything is computed of it"
        )
    return _Front(tuple(nodes), tensor)


def _constants(graph: onnx.GraphProto) -> set[str]:
    return {weight.name for weight in graph.initializer}


def _only_reader(graph: onnx.GraphProto, tensor: str) -> onnx.NodeProto | None:
    readers = [node for node in graph.node if tensor in node.input]
    return readers[0] if len(readers) == 1 else None


def _gives_floats(node: onnx.NodeProto) -> bool:
    return node.op_type == "Cast" and any(
        entry.name == "to" and entry.i == TensorProto.FLOAT for entry in node.attribute
    )


def _network(model: onnx.ModelProto, front: _Front) -> onnx.ModelProto:
    """Everything behind the front, as a model of its own."""
    known = {value.name: value for value in shape_inference.infer_shapes(model).graph.value_info}
    network = onnx.ModelProto()
    network.CopyFrom(model)
    removed = {node.output[0] for node in front.nodes}
    kept = [node for node in network.graph.node if node.output[0] not in removed]
    del network.graph.node[:], network.graph.input[:]
    network.graph.node.extend(kept)
    network.graph.input.append(known[front.planes])
    inner = [value for value in network.graph.value_info if value.name not in removed]
    del network.graph.value_info[:]
    network.graph.value_info.extend(inner)
    return network


def _scale_first_weights(graph: onnx.GraphProto, planes: str) -> bool:
    """Multiply the weights of all first convolutions, or of none; gives whether it did."""
    weights = {weight.name: weight for weight in graph.initializer}
    readers = [node for node in graph.node if planes in node.input]
    if not readers or not all(_is_convolution(node, planes, weights) for node in readers):
        return False
    for node in readers:
        values = numpy_helper.to_array(weights[node.input[1]])
        name = f"{node.input[1]}/scaled"
        if name not in weights:
            weights[name] = numpy_helper.from_array(values * np.float32(_SCALE), name)
            graph.initializer.append(weights[name])
        node.input[1] = name
    read = {name for node in graph.node for name in node.input}
    kept = [weight for weight in graph.initializer if weight.name in read]
    del graph.initializer[:]
    graph.initializer.extend(kept)
    return True


def _is_convolution(node: onnx.NodeProto, planes: str, weights: Collection[str]) -> bool:
    return node.op_type == "Conv" and node.input[0] == planes and node.input[1] in weights


def _put_before(half: onnx.GraphProto, whole: onnx.GraphProto, front: _Front, *, scaled: bool) -> None:
    """The front, with constants of its own, before the converted network."""
    own = {name for node in front.nodes for name in node.input} & _constants(whole)
    nodes = [onnx.NodeProto.FromString(node.SerializeToString()) for node in front.nodes]
    for node in nodes:
        node.input[:] = [f"front/{name}" if name in own else name for name in node.input]
    for weight in whole.initializer:
        if weight.name in own:
            half.initializer.add().CopyFrom(weight)
            half.initializer[-1].name = f"front/{weight.name}"
    if scaled:
        nodes[-1].output[0] = f"{front.planes}/pixels"
        half.initializer.append(numpy_helper.from_array(np.array(1.0 / _SCALE, np.float32), "front/scale"))
        inputs = [nodes[-1].output[0], "front/scale"]
        nodes.append(helper.make_node("Mul", inputs, [front.planes], name="front/Mul"))
    network = list(half.node)
    del half.node[:], half.input[:]
    half.node.extend([*nodes, *network])
    half.input.extend(whole.input)
