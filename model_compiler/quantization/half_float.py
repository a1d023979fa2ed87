"""FP16: half the size, for accelerators that compute in it."""

import onnx
from onnx import TensorProto, helper
from onnxruntime.quantization.onnx_model import ONNXModel
from onnxruntime.transformers.float16 import convert_float_to_float16

from model_compiler.errors import UnsupportedModel
from model_compiler.quantization.float_head import decode_tail
from model_compiler.quantization.quantizable_graph import keep_used_domains, quantizable_graph


def to_float16(model: bytes) -> bytes:
    """Convert a plain FP32 network; its input, its outputs and the decoding after the last layers stay FP32.

    FP16 has steps of 0.25 at 400 px and of 4 at 8000 px, too coarse for boxes; before the decoding, values are small.

    Raises:
        ModelError: As `quantizable_graph`.
        UnsupportedModel: ONNX Runtime's converter does not take the graph.
    """
    graph = quantizable_graph(model)
    tail = frozenset(decode_tail(graph))
    try:
        converted = convert_float_to_float16(_body(graph, tail), keep_io_types=True)
        _append_tail(converted, graph, tail)
        ONNXModel(converted).topological_sort()
        keep_used_domains(converted)
        onnx.checker.check_model(converted, full_check=True)
    except (ValueError, RuntimeError, onnx.checker.ValidationError, onnx.shape_inference.InferenceError) as error:
        raise UnsupportedModel(f"the graph cannot be converted to FP16: {error}") from error
    result: bytes = converted.SerializeToString(deterministic=True)
    return result


def _body(graph: onnx.ModelProto, tail: frozenset[str]) -> onnx.ModelProto:
    """The network up to the tail, as a graph of its own: the converter would round between the nodes of a tail."""
    body = onnx.ModelProto()
    body.CopyFrom(graph)
    nodes = [node for node in graph.graph.node if node.name not in tail]
    del body.graph.node[:]
    body.graph.node.extend(nodes)
    read_by_tail = {name for node in graph.graph.node if node.name in tail for name in node.input}
    read_by_tail |= {value.name for value in graph.graph.output}
    known = {value.name: value for value in [*graph.graph.value_info, *graph.graph.output]}
    made = [name for node in nodes for name in node.output if name in read_by_tail]
    del body.graph.output[:]
    body.graph.output.extend(
        known.get(name, helper.make_tensor_value_info(name, TensorProto.FLOAT, None)) for name in made
    )
    _keep_used_weights(body.graph)
    return body


def _append_tail(converted: onnx.ModelProto, graph: onnx.ModelProto, tail: frozenset[str]) -> None:
    """Put the tail behind its converted body, with FP32 weights of its own."""
    nodes = [node for node in graph.graph.node if node.name in tail]
    weights = {weight.name: weight for weight in graph.graph.initializer}
    own = {name: f"{name}/tail" for node in nodes for name in node.input if name in weights}
    for node in nodes:
        added = converted.graph.node.add()
        added.CopyFrom(node)
        added.input[:] = [own.get(name, name) for name in node.input]
    for name, renamed in own.items():
        weight = converted.graph.initializer.add()
        weight.CopyFrom(weights[name])
        weight.name = renamed
    del converted.graph.output[:]
    converted.graph.output.extend(graph.graph.output)
    del converted.graph.value_info[:]
    del converted.metadata_props[:]


def _keep_used_weights(graph: onnx.GraphProto) -> None:
    used = {name for node in graph.node for name in node.input}
    kept = [weight for weight in graph.initializer if weight.name in used]
    del graph.initializer[:]
    graph.initializer.extend(kept)
