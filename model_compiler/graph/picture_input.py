"""Finds the picture input of a network and fixes its size."""

import onnx
from onnx import TensorProto

from model_compiler.errors import UnexpectedTensor
from model_compiler.graph.onnx_model import TensorFacts, interface_of

_EXPECTED = "one FP32 picture [N,3,H,W]"


def find_picture_input(model: onnx.ModelProto) -> TensorFacts:
    """The only input of a network.

    Raises:
        UnexpectedTensor: It has several, or it is not FP32 [N,3,H,W].
    """
    inputs = interface_of(model).inputs
    if len(inputs) != 1 or not _is_picture(inputs[0]):
        raise UnexpectedTensor("input", _EXPECTED, "; ".join(map(str, inputs)))
    return inputs[0]


def _is_picture(facts: TensorFacts) -> bool:
    return facts.datatype == "FP32" and len(facts.shape) == 4 and facts.shape[1] in {3, None}


def with_picture_size(model: onnx.ModelProto, width: int | None, height: int | None) -> onnx.ModelProto:
    """A copy whose picture input has a fixed size.

    Args:
        model: With one input FP32 [N,3,H,W].
        width: In pixels, or None to take what the model says.
        height: In pixels, or None to take what the model says.

    Raises:
        UnexpectedTensor: The input is not a picture, has another fixed size, or has an open size and none is given.
    """
    facts = find_picture_input(model)
    wanted = (facts.shape[2] if height is None else height, facts.shape[3] if width is None else width)
    if None in wanted:
        raise UnexpectedTensor("input", "a fixed width and height, or both in the recipe", str(facts))
    if any(known not in {None, size} for known, size in zip(facts.shape[2:], wanted, strict=True)):
        raise UnexpectedTensor("input", f"width {wanted[1]} and height {wanted[0]}", str(facts))
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    value = next(value for value in copy.graph.input if value.name == facts.name)
    for axis, size in zip(value.type.tensor_type.shape.dim[1:], (3, *wanted), strict=True):
        axis.dim_value = size or 0
    return copy


def pixel_input(name: str, plain: onnx.ValueInfoProto) -> onnx.ValueInfoProto:
    """The UINT8 [N,H,W,3] input that takes the place of an FP32 [N,3,H,W] one, with the same batch axis."""
    value = onnx.ValueInfoProto()
    value.name = name
    value.type.tensor_type.elem_type = TensorProto.UINT8
    batch, channels, height, width = plain.type.tensor_type.shape.dim
    value.type.tensor_type.shape.dim.extend([batch, height, width, channels])
    return value
