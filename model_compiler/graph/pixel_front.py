"""The front of a grafted graph: camera pixels in, what the network was trained on out."""

from dataclasses import dataclass

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper

from contracts.model_card import InputSpec
from model_compiler.graph.graph_editor import GraphEditor

Channels = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class _Affine:
    """``pixel * gain + shift`` for each channel, in the order of the network."""

    gain: Channels
    shift: Channels

    @classmethod
    def of(cls, spec: InputSpec) -> "_Affine":
        std = np.array(spec.std, np.float64)
        return cls(spec.scale / std, -np.array(spec.mean, np.float64) / std)


def add_pixel_front(editor: GraphEditor, plain_input: str, spec: InputSpec, *, pixels: str) -> None:
    """Feed a network from a tensor of pixels instead of its own input.

    ``pixels`` is UINT8 [N,H,W,3] in RGB. The network's tensor becomes ``(pixel * scale - mean) / std``, FP32 [N,3,H,W],
    in its own colour order. Where all readers are convolutions, this costs nothing: scale, deviation and colour order
    go into a copy of their weights, which is exact (and leaves whole numbers up to 255, which bf16 holds exactly); a
    mean goes into the bias only where the convolution does not pad, because padding adds zeros, not means.

    Args:
        editor: The graph, changed in place.
        plain_input: Name of the network's input tensor.
        spec: Normalisation and colour order of the network.
        pixels: Name of the new tensor.
    """
    affine = _Affine.of(spec)
    planes = editor.prepend("Transpose", pixels, perm=[0, 3, 1, 2])
    convolutions = _foldable(editor, plain_input, affine)
    if convolutions:
        editor.prepend("Cast", planes, output=plain_input, to=TensorProto.FLOAT)
        for convolution, weights in convolutions:
            _fold(editor, convolution, weights, affine, swap=spec.color == "bgr")
        return
    if spec.color == "bgr":
        planes = editor.prepend("Gather", planes, editor.integers(2, 1, 0), axis=1)
    values = editor.prepend("Cast", planes, to=TensorProto.FLOAT)
    scaled = editor.prepend("Mul", values, editor.constant(_per_channel(affine.gain)))
    editor.prepend("Add", scaled, editor.constant(_per_channel(affine.shift)), output=plain_input)


def _per_channel(values: Channels) -> NDArray[np.float32]:
    return values.astype(np.float32).reshape(1, 3, 1, 1)


def _foldable(
    editor: GraphEditor, tensor: str, affine: _Affine
) -> list[tuple[onnx.NodeProto, NDArray[np.generic]]] | None:
    """Every reader with its weights, if all are convolutions that can take the normalisation over."""
    if editor.reads_in_subgraphs(tensor):
        return None
    found = []
    for node in editor.consumers(tensor):
        weights = editor.weight(node.input[1]) if node.op_type == "Conv" else None
        if weights is None or not _takes_over(editor, node, weights, affine):
            return None
        found.append((node, weights))
    return found


def _takes_over(editor: GraphEditor, node: onnx.NodeProto, weights: NDArray[np.generic], affine: _Affine) -> bool:
    plain = weights.dtype == np.float32 and weights.shape[1] == 3
    if not plain or not affine.shift.any():
        return plain
    attributes = {attribute.name: helper.get_attribute_value(attribute) for attribute in node.attribute}
    unpadded = attributes.get("auto_pad", b"NOTSET") in {b"NOTSET", b"VALID"} and not any(attributes.get("pads", [0]))
    has_bias = len(node.input) > 2 and bool(node.input[2])
    return unpadded and (not has_bias or editor.weight(node.input[2]) is not None)


def _fold(
    editor: GraphEditor, node: onnx.NodeProto, weights: NDArray[np.generic], affine: _Affine, *, swap: bool
) -> None:
    exact = weights.astype(np.float64)
    folded = exact * affine.gain.reshape(1, 3, *[1] * (exact.ndim - 2))
    node.input[1] = editor.constant((folded[:, ::-1] if swap else folded).astype(np.float32))
    if not affine.shift.any():
        return
    constant_part = (exact.reshape(*exact.shape[:2], -1).sum(axis=2) * affine.shift).sum(axis=1)
    bias = editor.weight(node.input[2]) if len(node.input) > 2 else None
    total = constant_part if bias is None else bias.astype(np.float64) + constant_part
    del node.input[2:]
    node.input.append(editor.constant(total.astype(np.float32)))
