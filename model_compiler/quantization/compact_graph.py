"""A quantised graph without the weight of its names: a small network has more bytes in them than in its scales."""

from collections.abc import Iterator

import onnx

_QUANTIZING = frozenset({"QuantizeLinear", "DequantizeLinear"})


def compacted(graph: onnx.ModelProto) -> onnx.ModelProto:
    """The same graph with short names around its Q/DQ nodes, equal constants shared, and nothing that is not needed.

    Tensors and nodes of the float network keep their names, so that both can be compared layer by layer.
    """
    result = onnx.ModelProto()
    result.CopyFrom(graph)
    del result.graph.value_info[:]
    del result.metadata_props[:]
    _share_constants(result.graph)
    _shorten_names(result.graph)
    return result


def _share_constants(graph: onnx.GraphProto) -> None:
    first: dict[tuple[int, tuple[int, ...], bytes], str] = {}
    renamed: dict[str, str] = {}
    kept = []
    for weight in graph.initializer:
        key = (weight.data_type, tuple(weight.dims), _content(weight))
        name = first.setdefault(key, weight.name)
        if name == weight.name:
            kept.append(weight)
        renamed[weight.name] = name
    del graph.initializer[:]
    graph.initializer.extend(kept)
    for node in graph.node:
        node.input[:] = [renamed.get(name, name) for name in node.input]


def _content(weight: onnx.TensorProto) -> bytes:
    """Everything but the name."""
    nameless = onnx.TensorProto()
    nameless.CopyFrom(weight)
    nameless.ClearField("name")
    nameless.ClearField("doc_string")
    content: bytes = nameless.SerializeToString(deterministic=True)
    return content


def _shorten_names(graph: onnx.GraphProto) -> None:
    given = {value.name for value in [*graph.input, *graph.output]}
    quantizing = [node for node in graph.node if node.op_type in _QUANTIZING]
    weights = {weight.name for weight in graph.initializer}
    around = dict.fromkeys(name for node in quantizing for name in _own_tensors(node, weights) if name not in given)
    taken = {name for node in graph.node for name in [node.name, *node.input, *node.output]} - around.keys()
    fresh = _short_names(taken | given)
    short = {name: next(fresh) for name in around}
    for node in graph.node:
        node.input[:] = [short.get(name, name) for name in node.input]
        node.output[:] = [short.get(name, name) for name in node.output]
    for node in quantizing:
        node.name = f"{node.output[0]}/{'Q' if node.op_type == 'QuantizeLinear' else 'DQ'}"
    for weight in graph.initializer:
        weight.name = short.get(weight.name, weight.name)


def _own_tensors(node: onnx.NodeProto, weights: set[str]) -> Iterator[str]:
    """Its constants and its result; what it quantises belongs to the float network."""
    yield from (name for name in node.input if name in weights)
    yield from node.output


def _short_names(taken: set[str]) -> Iterator[str]:
    number = 0
    while True:
        name = f"q{number}"
        number += 1
        if name not in taken:
            yield name
