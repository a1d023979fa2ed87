"""Smaller weights with float activations: for networks of large matrix products, and refused where it would only hurt.

ONNX Runtime's dynamic quantisation makes convolutions several times slower than FP32, and INT4 exists for matrix
products only; a convolutional network gains nothing from either.
"""

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import onnx
from onnxruntime.quantization import QuantType, quantize_dynamic
from onnxruntime.quantization.matmul_nbits_quantizer import MatMulNBitsQuantizer

from model_compiler.graph.graph_support import check_weights
from model_compiler.graph.multiply_adds import count_multiply_adds
from model_compiler.graph.onnx_model import parse_model
from model_compiler.quantization.compact_graph import compacted
from model_compiler.quantization.errors import WeightOnlyRefused
from model_compiler.quantization.quantizable_graph import keep_used_domains

Kind = Literal["int8-dynamic", "int4-weights"]
LEAST_SHARE = 0.5
"""Of the multiply-adds; below, most of the network stays as it is."""
BLOCK_SIZE = 32
"""Weights that share a scale, in INT4."""
_TOUCHES: dict[Kind, tuple[str, ...]] = {"int8-dynamic": ("MatMul", "Gemm"), "int4-weights": ("MatMul",)}


def quantize_weights(model: bytes, kind: Kind) -> bytes:
    """Quantise the constant matrices of a network; the same bytes give the same bytes.

    Args:
        model: A float network.
        kind: ``int8-dynamic``: INT8 weights, activations quantised while running; ``int4-weights``: INT4 weights in
            blocks, computed in float. Both give operators of ONNX Runtime that other runtimes do not have.

    Raises:
        NotOnnx: The bytes are something else.
        InvalidWeights: A weight is NaN or infinite.
        WeightOnlyRefused: Too little of the network would be touched.
    """
    graph = parse_model(model)
    check_weights(graph)
    touched = _touched(graph, kind)
    _refuse_others(graph, kind, touched)
    quantized = _int8_dynamic(graph) if kind == "int8-dynamic" else _int4(graph)
    keep_used_domains(quantized)
    result: bytes = compacted(quantized).SerializeToString(deterministic=True)
    return result


def _touched(graph: onnx.ModelProto, kind: Kind) -> Sequence[onnx.NodeProto]:
    constants = {weight.name for weight in graph.graph.initializer}
    return [node for node in graph.graph.node if node.op_type in _TOUCHES[kind] and node.input[1] in constants]


def _refuse_others(graph: onnx.ModelProto, kind: Kind, touched: Sequence[onnx.NodeProto]) -> None:
    work = count_multiply_adds(graph)
    share = sum(work.by_output.get(node.output[0], 0) for node in touched) / max(1, work.total)
    if share >= LEAST_SHARE:
        return
    convolutions = sum(node.op_type in {"Conv", "ConvTranspose"} for node in graph.graph.node)
    names = " and ".join(_TOUCHES[kind])
    reason = f"only {names} with constant weights can be quantised so, and the work is in {convolutions} convolutions"
    raise WeightOnlyRefused(kind, share, f"{reason}: use static INT8 instead")


def _int8_dynamic(graph: onnx.ModelProto) -> onnx.ModelProto:
    with tempfile.TemporaryDirectory(prefix="outpost-quantize-") as folder:
        given, result = Path(folder) / "given.onnx", Path(folder) / "quantized.onnx"
        onnx.save(graph, given)
        quantize_dynamic(
            given,
            result,
            op_types_to_quantize=list(_TOUCHES["int8-dynamic"]),
            per_channel=True,
            weight_type=QuantType.QInt8,
        )
        return onnx.load(result)


def _int4(graph: onnx.ModelProto) -> onnx.ModelProto:
    quantizer = MatMulNBitsQuantizer(graph, block_size=BLOCK_SIZE, is_symmetric=True)
    quantizer.process()
    quantized: onnx.ModelProto = quantizer.model.model
    return quantized
