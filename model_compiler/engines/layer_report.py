"""Which nodes of a candidate compute something else than the reference: inner tensors of the same name compared."""

import heapq
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import onnx
from onnx import TensorProto, shape_inference

from model_compiler.engines.engine import Array, Engine
from model_compiler.engines.tensor_error import TensorError, tensor_error
from model_compiler.errors import CompileError
from model_compiler.graph.node_names import described
from model_compiler.graph.onnx_model import parse_model
from model_compiler.variant import Precision

WORST = 5
_CHOOSING = frozenset({"TopK", "ArgMax", "ArgMin", "NonMaxSuppression", "NonZero"})
"""What follows them is in an order that a small difference changes, so that its elements cannot be compared."""
_FLOATS = frozenset({TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.BFLOAT16})


@dataclass(frozen=True, slots=True)
class LayerError:
    """A node of the candidate, described, and the error of what it gives."""

    node: str
    error: TensorError

    def __str__(self) -> str:
        broken = f", {self.error.not_finite} values not finite" if self.error.not_finite else ""
        return f"{self.node}: SQNR {self.error.sqnr_db:.1f} dB, largest error {self.error.largest:.3g}{broken}"


@dataclass(frozen=True, slots=True)
class LayerReport:
    """Where a candidate leaves its reference.

    Attributes:
        compared: Inner tensors that both models have.
        first: The first node, in the order of the candidate, whose output deviates; None where none does.
        worst: The nodes with the lowest signal to noise, worst first.
    """

    compared: int
    first: LayerError | None
    worst: tuple[LayerError, ...]

    def lines(self) -> Iterator[str]:
        """For people."""
        if not self.compared:
            yield "no inner tensor is in both graphs by name, so no node can be named"
            return
        yield f"{self.compared} inner tensors compared"
        yield f"first to deviate: {self.first}" if self.first else "no inner tensor deviates"
        for place, layer in enumerate(self.worst, start=1):
            yield f"worst {place}: {layer}"


@dataclass(frozen=True, slots=True)
class LayerSubject:
    """One of the two models: its bytes, who runs it, and its input tensor."""

    model: bytes
    engine: Engine
    precision: Precision
    feeds: Mapping[str, Array]


def compare_layers(reference: LayerSubject, candidate: LayerSubject, *, deviation_sqnr_db: float) -> LayerReport:
    """Compare every inner float tensor that has the same name in both graphs; exporters and quantisers keep names.

    Args:
        reference: The FP32 model.
        candidate: The other; run by its own engine in its own precision.
        deviation_sqnr_db: A tensor below this deviates.
    """
    wanted, got = parse_model(reference.model, check=False), parse_model(candidate.model, check=False)
    known = set(_float_tensors(wanted))
    shared = [name for name in _float_tensors(got) if name in known]
    try:
        first, second = _inner_tensors(reference, wanted, shared), _inner_tensors(candidate, got, shared)
    except CompileError:
        return LayerReport(compared=0, first=None, worst=())
    errors = [
        tensor_error(name, first[name], second[name])
        for name in shared
        if name in first and name in second and first[name].shape == second[name].shape
    ]
    givers = {output: described(node) for node in got.graph.node for output in node.output}
    layers = [LayerError(givers[error.name], error) for error in errors]
    deviating = [layer for layer in layers if layer.error.sqnr_db < deviation_sqnr_db]
    worst = heapq.nsmallest(WORST, deviating, key=lambda layer: layer.error.sqnr_db)
    return LayerReport(len(layers), next(iter(deviating), None), tuple(worst))


def _float_tensors(model: onnx.ModelProto) -> list[str]:
    """What the nodes before any choice give, in order, as far as it is known to be floats."""
    inferred = shape_inference.infer_shapes(model).graph
    types = {value.name: value.type.tensor_type.elem_type for value in (*inferred.value_info, *inferred.output)}
    chosen: set[str] = set()
    names = []
    for node in model.graph.node:
        if node.op_type in _CHOOSING or chosen.intersection(node.input):
            chosen |= set(node.output)
        else:
            names += [output for output in node.output if types.get(output) in _FLOATS]
    return names


def _inner_tensors(subject: LayerSubject, model: onnx.ModelProto, names: list[str]) -> dict[str, Array]:
    """The values of the named tensors; some runtimes fuse nodes less when they must show what is between."""
    inferred = shape_inference.infer_shapes(model)
    values = {value.name: value for value in inferred.graph.value_info}
    shown = {value.name for value in model.graph.output}
    model.graph.output.extend(values[name] for name in names if name in values and name not in shown)
    session = subject.engine.open(model.SerializeToString(), subject.precision, 1)
    return session.run(subject.feeds)
