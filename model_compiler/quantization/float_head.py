"""The part of a network that stays float: its last layers and everything after them.

Boxes in pixels and scores between 0 and 1 lie in one tensor there. Quantised to 8 bits over 0..640 px it has steps of
2.5, so that every score becomes 0.
"""

from collections import deque

import onnx

from model_compiler.graph.multiply_adds import WEIGHTED

_MOVES_ONLY = frozenset({"Reshape", "Transpose", "Squeeze", "Unsqueeze", "Flatten", "Identity", "Split", "Slice"})


def decode_tail(graph: onnx.ModelProto) -> tuple[str, ...]:
    """Names of the nodes after the last weighted layers: concatenation, sigmoid, box decoding; in graph order.

    A convolution that decodes a distribution (distribution focal loss, Li et al. 2020: it reads a softmax) belongs to
    them.
    """
    tail, _ = _tail_and_border(graph)
    return tuple(node.name for node in graph.graph.node if node.name in tail)


def head_nodes(graph: onnx.ModelProto) -> tuple[str, ...]:
    """The decode tail and the prediction layers before it, in graph order."""
    tail, border = _tail_and_border(graph)
    return tuple(node.name for node in graph.graph.node if node.name in tail | border)


def _tail_and_border(graph: onnx.ModelProto) -> tuple[set[str], set[str]]:
    """Walk back from the outputs; weighted layers stop the walk."""
    makers = {name: node for node in graph.graph.node for name in node.output}
    constants = {weight.name for weight in graph.graph.initializer}
    constants |= {node.output[0] for node in graph.graph.node if node.op_type == "Constant"}
    tail: set[str] = set()
    border: set[str] = set()
    waiting = deque(makers[output.name] for output in graph.graph.output if output.name in makers)
    while waiting:
        node = waiting.popleft()
        if node.name in tail | border:
            continue
        if _is_layer(node, constants) and not _reads_softmax(node, makers):
            border.add(node.name)
            continue
        tail.add(node.name)
        waiting.extend(makers[name] for name in node.input if name in makers)
    return tail, border


def _is_layer(node: onnx.NodeProto, constants: set[str]) -> bool:
    return node.op_type in WEIGHTED and any(name in constants for name in node.input[:2])


def _reads_softmax(node: onnx.NodeProto, makers: dict[str, onnx.NodeProto]) -> bool:
    source = makers.get(node.input[0])
    while source is not None and source.op_type in _MOVES_ONLY:
        source = makers.get(source.input[0])
    return source is not None and source.op_type == "Softmax"
