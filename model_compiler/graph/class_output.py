"""Finds the output of a classifier: one value for each class."""

from dataclasses import dataclass

import onnx
from onnx import helper

from model_compiler.errors import UnexpectedTensor
from model_compiler.graph.onnx_model import TensorFacts
from model_compiler.graph.output_shape import output_called, with_known_sizes

_SHAPE_ONLY = frozenset({"Identity", "Flatten", "Reshape", "Squeeze", "Cast", "Dropout"})
"""Operators that exporters put behind a softmax, and that leave every value as it is."""


@dataclass(frozen=True, slots=True)
class ClassOutput:
    """The output tensor of a classifier: C classes, after a softmax or before.

    Attributes:
        name: Of the tensor.
        classes: C.
        is_softmax: Whether the values are probabilities already.
        is_map: Whether the tensor is [N,C,1,1], what a network of convolutions gives, instead of [N,C].
    """

    name: str
    classes: int
    is_softmax: bool
    is_map: bool = False


def find_class_output(model: onnx.ModelProto, *, classes: int | None = None, name: str | None = None) -> ClassOutput:
    """Check a model's output.

    Args:
        model: A classifier with one picture input of fixed height and width.
        classes: C, or None to take it from the shape.
        name: The output to take; needed where there are several.

    Raises:
        UnexpectedTensor: There is no such output, it is not FP32 [N,C] or [N,C,1,1], or it ends in a sigmoid.
    """
    facts = output_called(model, name)
    facts = with_known_sizes(model, facts) if len(facts.shape) in {2, 4} else facts
    expected = "one FP32 tensor [N,C] or [N,C,1,1]" + (f" with C = {classes} labels" if classes is not None else "")
    count = facts.shape[1] if _has_classes(facts) else None
    if count is None or count < 2 or classes not in {None, count}:
        raise UnexpectedTensor("output", expected, str(facts))
    maker = value_maker(model, facts.name)
    if maker is not None and maker.op_type in {"Sigmoid", "HardSigmoid"}:
        raise UnexpectedTensor(
            "output", "classes of which exactly one is right, with or without a softmax", f"{facts} from a sigmoid"
        )
    softmax = maker is not None and (maker.op_type == "Softmax" or _is_softmax_in_steps(model, maker))
    return ClassOutput(facts.name, count, softmax, is_map=len(facts.shape) == 4)


def _has_classes(facts: TensorFacts) -> bool:
    return facts.datatype == "FP32" and (len(facts.shape) == 2 or (len(facts.shape) == 4 and facts.shape[2:] == (1, 1)))


def value_maker(model: onnx.ModelProto, tensor: str) -> onnx.NodeProto | None:
    """The node that computes a tensor's values, behind nodes that only change its shape."""
    makers = {name: node for node in model.graph.node for name in node.output}
    maker = makers.get(tensor)
    while maker is not None and maker.op_type in _SHAPE_ONLY:
        maker = makers.get(maker.input[0])
    return maker


def _is_softmax_in_steps(model: onnx.ModelProto, maker: onnx.NodeProto) -> bool:
    """Whether a quotient is exp(x) / sum(exp(x)), as some exporters write a softmax."""
    if maker.op_type != "Div":
        return False
    above, below = (value_maker(model, tensor) for tensor in maker.input)
    sums = below is not None and below.op_type == "ReduceSum" and below.input[0] == maker.input[0]
    return sums and above is not None and above.op_type == "Exp"


def with_flat_class_output(model: onnx.ModelProto, output: ClassOutput) -> onnx.ModelProto:
    """The same classifier with an output [N,C]; itself where it has one.

    The output keeps its name, so that nothing else needs to know.
    """
    if not output.is_map:
        return model
    flat = onnx.ModelProto()
    flat.CopyFrom(model)
    graph = flat.graph
    inner = f"{output.name}/map"
    for node in graph.node:
        for names in (node.input, node.output):
            names[:] = [inner if name == output.name else name for name in names]
    graph.node.append(helper.make_node("Flatten", [inner], [output.name], name=f"{output.name}/flat", axis=1))
    value = next(value for value in graph.output if value.name == output.name)
    del value.type.tensor_type.shape.dim[2:]
    value.type.tensor_type.shape.dim[1].dim_value = output.classes
    return flat
