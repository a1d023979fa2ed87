"""What is in a graph: its tensors, operators, size and cost."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import onnx

from model_compiler.graph.learned_numbers import learned_numbers
from model_compiler.graph.multiply_adds import INTEGER_FORMS, WEIGHTED, count_multiply_adds
from model_compiler.graph.onnx_model import TensorFacts, interface_of, parse_model, read_model_file


@dataclass(frozen=True, slots=True)
class Inspection:
    """Facts of a graph.

    Attributes:
        inputs, outputs: Its tensors; weights are not among the inputs.
        producer: The exporter and its version.
        opsets: Versions of the operator sets by domain; the default one is ``ai.onnx``.
        operators: How often each is used, most frequent first.
        parameter_count: Learned numbers; anchors and the scales of quantised tensors are not among them.
        multiply_adds: For one picture.
        uncounted: Nodes that ``multiply_adds`` leaves out, since their shapes are not known without a run.
        size_bytes: Of the model, with weights that are kept beside it.
        weighted_nodes: Convolutions and matrix products.
        quantized_nodes: Those of them that compute with integers, or on integers made floats again (Q/DQ).
        metadata: What the exporter noted.
        external_files: Files beside the model that hold weights.
    """

    inputs: tuple[TensorFacts, ...]
    outputs: tuple[TensorFacts, ...]
    producer: str
    opsets: Mapping[str, int]
    operators: Mapping[str, int]
    parameter_count: int
    multiply_adds: int
    uncounted: tuple[str, ...]
    size_bytes: int
    weighted_nodes: int
    quantized_nodes: int
    metadata: Mapping[str, str]
    external_files: tuple[str, ...] = ()

    @property
    def node_count(self) -> int:
        """How many nodes the graph has."""
        return sum(self.operators.values())

    @property
    def quantized_share(self) -> float:
        """Share of the weighted nodes that are quantised, 0 to 1."""
        return self.quantized_nodes / self.weighted_nodes if self.weighted_nodes else 0.0


def inspect_file(path: Path) -> Inspection:
    """Read, check and count an ONNX file.

    Raises:
        InputFileMissing: There is no such file.
        ModelError: It is not a model that can be read.
    """
    model = read_model_file(path)
    files = external_files(parse_model(path.read_bytes(), source=str(path), check=False))
    return inspect_model(model, files)


def inspect_model(model: onnx.ModelProto, external: tuple[str, ...] = ()) -> Inspection:
    """Count what a model has.

    Args:
        model: Checked, with all its weights.
        external: Files that its weights came from.
    """
    interface = interface_of(model)
    cost = count_multiply_adds(model)
    weighted = [node for node in model.graph.node if node.op_type in WEIGHTED or node.op_type in INTEGER_FORMS]
    return Inspection(
        inputs=interface.inputs,
        outputs=interface.outputs,
        producer=f"{model.producer_name} {model.producer_version}".strip(),
        opsets=MappingProxyType({entry.domain or "ai.onnx": entry.version for entry in model.opset_import}),
        operators=MappingProxyType(_histogram(model)),
        parameter_count=learned_numbers(model),
        multiply_adds=cost.total,
        uncounted=cost.uncounted,
        size_bytes=model.ByteSize(),
        weighted_nodes=len(weighted),
        quantized_nodes=_count_quantized(model, weighted),
        metadata=MappingProxyType({entry.key: entry.value for entry in model.metadata_props}),
        external_files=external,
    )


def external_files(model: onnx.ModelProto) -> tuple[str, ...]:
    """Names of the files that hold weights of a model which was read without them."""
    places = (entry.value for weight in model.graph.initializer for entry in _places(weight))
    return tuple(sorted(set(places)))


def _places(weight: onnx.TensorProto) -> Iterator[onnx.StringStringEntryProto]:
    return (entry for entry in weight.external_data if entry.key == "location")


def _histogram(model: onnx.ModelProto) -> dict[str, int]:
    names = (f"{node.domain}." if node.domain not in {"", "ai.onnx"} else "" for node in model.graph.node)
    counts = Counter(f"{domain}{node.op_type}" for domain, node in zip(names, model.graph.node, strict=True))
    return dict(sorted(counts.items(), key=lambda entry: (-entry[1], entry[0])))


def _count_quantized(model: onnx.ModelProto, weighted: list[onnx.NodeProto]) -> int:
    restored = {name for node in model.graph.node if node.op_type == "DequantizeLinear" for name in node.output}
    return sum(node.op_type in INTEGER_FORMS or restored.issuperset(node.input[:2]) for node in weighted)
