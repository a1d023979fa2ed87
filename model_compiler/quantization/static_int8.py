"""Static INT8: Q/DQ nodes from calibrated ranges, in the form that each runtime fuses.

- ``u8s8``: activations unsigned and asymmetric, weights signed by channel: what ONNX Runtime fuses on x86.
- ``s8s8``: everything signed and symmetric, biases float, Q/DQ only where a quantised layer reads: what TensorRT takes.
- ``u8s8-symmetric``: the same, but unsigned where an activation is never negative, which after rectifiers keeps the bit
  that a sign would waste: what OpenVINO fuses. All zero points are 0.

The placement is ONNX Runtime's; see https://onnxruntime.ai/docs/performance/model-optimizations/quantization.html.
"""

import hashlib
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import onnx
from onnxruntime.quantization import CalibrationMethod, QuantFormat, QuantType
from onnxruntime.quantization import quantize_static as insert_quantization
from onnxruntime.quantization.calibrate import TensorData, TensorsData, save_tensors_data

from contracts.quantization import Quantization, Scheme
from model_compiler.errors import UnsupportedModel
from model_compiler.graph.multiply_adds import WEIGHTED
from model_compiler.quantization.calibration_cache import CalibrationCache
from model_compiler.quantization.compact_graph import compacted
from model_compiler.quantization.errors import CalibrationOfAnotherModel, NoSuchNode
from model_compiler.quantization.float_head import decode_tail, head_nodes
from model_compiler.quantization.quantizable_graph import keep_used_domains, quantizable_graph
from model_compiler.quantization.quantized_operators import QUANTIZED_OPERATORS

Task = Literal["detection", "classification"]


@dataclass(frozen=True, slots=True)
class QuantizedModel:
    """A Q/DQ graph, serialised, and what its card says of it."""

    model: bytes
    facts: Quantization


def quantize_static(
    model: bytes,
    cache: CalibrationCache,
    scheme: Scheme,
    *,
    float_nodes: Sequence[str] = (),
    task: Task = "detection",
    float_classifier: bool = False,
) -> QuantizedModel:
    """Emit one runtime's variant from a calibration cache; the same arguments give the same bytes.

    Args:
        model: The plain FP32 network that was calibrated.
        cache: Its ranges.
        scheme: Which form.
        float_nodes: Nodes kept float beside the head, by name.
        task: A detector's last layers and decoding stay float.
        float_classifier: A classifier's last layer stays float as well.

    Raises:
        CalibrationOfAnotherModel: The cache belongs to another model.
        NoSuchNode: A name in ``float_nodes`` is not in the graph.
        UnsupportedModel: Nothing is left to quantise.
        ModelError: The graph cannot be quantised.
    """
    actual = hashlib.sha256(model).hexdigest()
    if actual != cache.model_sha256:
        raise CalibrationOfAnotherModel(cache.model_sha256, actual)
    graph = quantizable_graph(model)
    kept = kept_float(graph, float_nodes, task=task, float_classifier=float_classifier)
    return quantize_graph(graph, cache, scheme, kept, float_nodes=float_nodes)


def kept_float(
    graph: onnx.ModelProto, float_nodes: Sequence[str], *, task: Task, float_classifier: bool
) -> frozenset[str]:
    """Names of all nodes that stay float: the head and those named.

    Raises:
        NoSuchNode: A name is not in the graph.
    """
    known = [node.name for node in graph.graph.node]
    missing = [name for name in float_nodes if name not in known]
    if missing:
        raise NoSuchNode(missing[0], known)
    whole_head = task == "detection" or float_classifier
    return frozenset(float_nodes) | frozenset(head_nodes(graph) if whole_head else decode_tail(graph))


def quantizable_layers(graph: onnx.ModelProto, kept: frozenset[str]) -> tuple[str, ...]:
    """The weighted layers that are not kept float, in graph order."""
    return tuple(node.name for node in graph.graph.node if node.op_type in WEIGHTED and node.name not in kept)


def quantize_graph(
    graph: onnx.ModelProto,
    cache: CalibrationCache,
    scheme: Scheme,
    kept: frozenset[str],
    *,
    float_nodes: Sequence[str] = (),
) -> QuantizedModel:
    """Insert Q/DQ nodes into a prepared graph (`quantizable_graph`), around all nodes but ``kept``.

    Raises:
        UnsupportedModel: No layer is left to quantise.
    """
    layers = quantizable_layers(graph, kept)
    if not layers:
        raise UnsupportedModel("nothing is left to quantise: every convolution and matrix product stays float")
    quantized = _with_quantization(graph, cache, scheme, kept)
    facts = Quantization(
        scheme=scheme,
        range_method=cache.method,
        calibration_frames=cache.frame_count,
        calibration_sha256=cache.frames_sha256,
        quantized_nodes=len(layers),
        float_nodes=tuple(float_nodes),
    )
    return QuantizedModel(quantized.SerializeToString(deterministic=True), facts)


def _with_quantization(
    graph: onnx.ModelProto, cache: CalibrationCache, scheme: Scheme, kept: frozenset[str]
) -> onnx.ModelProto:
    with tempfile.TemporaryDirectory(prefix="outpost-quantize-") as folder:
        given, ranges, result = (Path(folder) / name for name in ("given.onnx", "ranges.json", "quantized.onnx"))
        onnx.save(graph, given)
        save_tensors_data(_tensors_data(cache), ranges)
        insert_quantization(
            str(given),
            str(result),
            None,
            calibration_cache_path=ranges,
            calibrate_method=CalibrationMethod.MinMax,
            quant_format=QuantFormat.QDQ,
            per_channel=True,
            activation_type=QuantType.QUInt8 if scheme == "u8s8" else QuantType.QInt8,
            weight_type=QuantType.QInt8,
            op_types_to_quantize=list(_operators(scheme)),
            nodes_to_exclude=sorted(kept),
            extra_options=_options(scheme, cache),
        )
        quantized = onnx.load(result)
    keep_used_domains(quantized)
    return compacted(quantized)


def _tensors_data(cache: CalibrationCache) -> TensorsData:
    """Final ranges, which the quantiser takes as they are, whatever they were found by."""
    ranges = {
        tensor: TensorData(lowest=np.array(low, np.float32), highest=np.array(high, np.float32))
        for tensor, (low, high) in cache.ranges.items()
    }
    return TensorsData(CalibrationMethod.MinMax, ranges)


def _operators(scheme: Scheme) -> tuple[str, ...]:
    """Without rectifiers in the signed form, which cannot take them over, and products, which it leaves to floats."""
    if scheme == "u8s8":
        return QUANTIZED_OPERATORS
    return tuple(operator for operator in QUANTIZED_OPERATORS if operator not in {"Relu", "Clip", "Mul"})


def _options(scheme: Scheme, cache: CalibrationCache) -> dict[str, Any]:
    if scheme == "u8s8":
        return {"ActivationSymmetric": False, "WeightSymmetric": True}
    never_negative = [tensor for tensor, (low, _) in cache.ranges.items() if low >= 0]
    unsigned = {tensor: [{"quant_type": QuantType.QUInt8, "symmetric": False}] for tensor in never_negative}
    return {
        "TensorQuantOverrides": unsigned if scheme == "u8s8-symmetric" else {},
        "ActivationSymmetric": True,
        "WeightSymmetric": True,
        "QuantizeBias": False,
        "OpTypesToExcludeOutputQuantization": sorted(WEIGHTED),
    }
