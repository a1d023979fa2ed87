"""Adds nodes before and after a graph, under names that collide with nothing."""

from collections.abc import Iterator, Sequence
from itertools import count
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper

from model_compiler.graph.onnx_model import opset_of

OLDEST_IR_VERSION = 8
"""That of opset 17."""


class GraphEditor:
    """A copy of a model under change. Tensors are named by strings; ``result`` gives the new model."""

    def __init__(self, model: onnx.ModelProto) -> None:
        self._model = onnx.ModelProto()
        self._model.CopyFrom(model)
        self._front: list[onnx.NodeProto] = []
        self._end: list[onnx.NodeProto] = []
        self._taken = set(_names(self._model.graph))
        self._shapes: dict[str, list[int | None]] | None = None
        self._constants: dict[tuple[str, bytes, tuple[int, ...]], str] = {}
        self.opset = opset_of(model)

    def fresh_name(self, stem: str) -> str:
        """A tensor name that nothing in the graph has."""
        name = next(name for name in _candidates(f"graft/{stem}") if name not in self._taken)
        self._taken.add(name)
        return name

    def moved(self, name: str) -> str:
        """Give a tensor another name everywhere, subgraphs included, so that its name can be given anew.

        Returns:
            The new name; the old one where no tensor has it.
        """
        if name not in self._taken:
            return name
        new = self.fresh_name(name)
        _rename(self._model.graph, name, new)
        self._taken.discard(name)
        return new

    def constant(self, values: NDArray[np.generic]) -> str:
        """A weight with these values; equal ones are shared."""
        key = (values.dtype.str, values.tobytes(), values.shape)
        if key not in self._constants:
            name = self.fresh_name("constant")
            self._model.graph.initializer.append(numpy_helper.from_array(np.ascontiguousarray(values), name))
            self._constants[key] = name
        return self._constants[key]

    def integers(self, *values: int) -> str:
        """A one-dimensional INT64 weight, as axes, starts and sizes are given."""
        return self.constant(np.array(values, np.int64))

    def weight(self, name: str) -> NDArray[np.generic] | None:
        """Values of a constant tensor, or None where it is computed."""
        for initializer in self._model.graph.initializer:
            if initializer.name == name:
                return numpy_helper.to_array(initializer)
        node = self.producer(name)
        if node is None or node.op_type != "Constant":
            return None
        return next((numpy_helper.to_array(a.t) for a in node.attribute if a.name == "value"), None)

    def size(self, tensor: str, axis: int) -> int | None:
        """Length of an axis of a tensor of the original graph, or None where it is open or unknown."""
        if self._shapes is None:
            graph = onnx.shape_inference.infer_shapes(self._model, data_prop=True).graph
            self._shapes = {
                value.name: [size.dim_value or None for size in value.type.tensor_type.shape.dim]
                for value in (*graph.value_info, *graph.input, *graph.output)
            }
        sizes = self._shapes.get(tensor, [])
        return sizes[axis] if axis < len(sizes) else None

    def producer(self, tensor: str) -> onnx.NodeProto | None:
        """The node of the original graph that computes a tensor."""
        return next((node for node in self._model.graph.node if tensor in node.output), None)

    def consumers(self, tensor: str) -> list[onnx.NodeProto]:
        """The nodes of the original graph that read a tensor directly; changing one changes the graph."""
        return [node for node in self._model.graph.node if tensor in node.input]

    def reads_in_subgraphs(self, tensor: str) -> bool:
        """Whether a branch or loop body reads a tensor of the graph around it."""
        bodies = (body for node in self._model.graph.node for body in _subgraphs(node))
        return any(tensor in _names(body) for body in bodies)

    def prepend(self, op: str, *inputs: str, output: str | None = None, **attributes: Any) -> str:
        """Add a node before the graph; gives the name of its output."""
        name = output or self.fresh_name(op)
        self._front.append(helper.make_node(op, list(inputs), [name], name=f"{name}/node", **attributes))
        return name

    def append(self, op: str, *inputs: str, output: str | None = None, **attributes: Any) -> str:
        """Add a node after the graph; gives the name of its output."""
        name = output or self.fresh_name(op)
        self._end.append(helper.make_node(op, list(inputs), [name], name=f"{name}/node", **attributes))
        return name

    def append_top(self, values: str, size: int) -> tuple[str, str]:
        """Add a TopK along axis 1; gives the names of its values and indices, largest first."""
        names = (self.fresh_name("TopK/values"), self.fresh_name("TopK/indices"))
        inputs = [values, self.integers(size)]
        self._end.append(helper.make_node("TopK", inputs, names, name=f"{names[0]}/node", axis=1, largest=1, sorted=1))
        return names

    def append_split(self, tensor: str, sizes: Sequence[int], axis: int) -> list[str]:
        """Add a Split along an axis; gives the names of its parts."""
        names = [self.fresh_name("Split") for _ in sizes]
        inputs = [tensor, self.integers(*sizes)]
        self._end.append(helper.make_node("Split", inputs, names, name=f"{names[0]}/node", axis=axis))
        return names

    def append_max(self, tensor: str, axis: int) -> str:
        """Add a ReduceMax that drops an axis; its axes became an input with opset 18."""
        if self.opset < 18:
            return self.append("ReduceMax", tensor, axes=[axis], keepdims=0)
        return self.append("ReduceMax", tensor, self.integers(axis), keepdims=0)

    def result(self, inputs: Sequence[onnx.ValueInfoProto], outputs: Sequence[onnx.ValueInfoProto]) -> onnx.ModelProto:
        """The model with the added nodes, these inputs and these outputs."""
        model = onnx.ModelProto()
        model.CopyFrom(self._model)
        # older versions demand that every weight is listed as an input
        model.ir_version = max(model.ir_version, OLDEST_IR_VERSION)
        graph = model.graph
        nodes = [*self._front, *self._model.graph.node, *self._end]
        for old, new in ((graph.node, nodes), (graph.input, inputs), (graph.output, outputs)):
            del old[:]
            old.extend(new)
        _drop_unread_weights(graph)
        return model


def _drop_unread_weights(graph: onnx.GraphProto) -> None:
    read = {name for node in graph.node for name in node.input} | {value.name for value in graph.output}
    read.update(name for node in graph.node for body in _subgraphs(node) for name in _names(body))
    kept = [weight for weight in graph.initializer if weight.name in read]
    del graph.initializer[:]
    graph.initializer.extend(kept)


def _candidates(stem: str) -> Iterator[str]:
    yield stem
    yield from (f"{stem}_{number}" for number in count(1))


def _subgraphs(node: onnx.NodeProto) -> Iterator[onnx.GraphProto]:
    for attribute in node.attribute:
        if attribute.HasField("g"):
            yield attribute.g
        yield from attribute.graphs


def _names(graph: onnx.GraphProto) -> Iterator[str]:
    yield from (value.name for values in (graph.input, graph.output, graph.value_info) for value in values)
    yield from (weight.name for weight in graph.initializer)
    for node in graph.node:
        yield from node.input
        yield from node.output
        for body in _subgraphs(node):
            yield from _names(body)


def _rename(graph: onnx.GraphProto, old: str, new: str) -> None:
    for values in (graph.input, graph.output, graph.value_info, graph.initializer):
        for value in values:
            if value.name == old:
                value.name = new
    for node in graph.node:
        for names in (node.input, node.output):
            names[:] = [new if name == old else name for name in names]
        for body in _subgraphs(node):
            _rename(body, old, new)
