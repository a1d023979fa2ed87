"""ONNX Runtime on the CPU."""

import tempfile
from collections.abc import Mapping
from pathlib import Path

import onnx
import onnxruntime as ort

from model_compiler.engines.engine import Array
from model_compiler.engines.errors import UnsupportedByRuntime, UnsupportedPrecision
from model_compiler.graph.node_names import first_sentence, node_of_message
from model_compiler.graph.onnx_model import parse_model
from model_compiler.variant import Backend, Precision

_QUIET = 4
_PRECISIONS: tuple[Precision, ...] = ("auto", "f32")


class OnnxRuntimeSession:
    """A session of one model; threads as given, the calling one included."""

    def __init__(self, model: bytes, threads: int) -> None:
        self._model = model
        self._session = _session(model, threads)
        self._outputs = [output.name for output in self._session.get_outputs()]

    def run(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """See `engine.Session.run`."""
        try:
            values = self._session.run(self._outputs, dict(inputs))
        # onnxruntime's exceptions share no base class
        except Exception as error:
            raise _refusal(self._model, error) from error
        return dict(zip(self._outputs, values, strict=True))


class OnnxRuntimeEngine:
    """Computes in the precision of the graph."""

    name: Backend = "onnxruntime"

    def missing(self) -> str | None:
        """Nothing: it is a dependency of the compiler."""
        return None

    def version(self) -> str:
        """See `engine.Engine.version`."""
        return f"onnxruntime {ort.__version__}"

    def precisions(self) -> tuple[Precision, ...]:
        """See `engine.Engine.precisions`."""
        return _PRECISIONS

    def prepare(self, model: bytes, precision: Precision) -> bytes:
        """The graph with what every session would do to it done once, where that makes it smaller.

        Taken are the optimisations that hold on every processor: constant folding and redundant nodes; for float graphs
        also fused nodes (ONNX Runtime's own operators). Not taken are memory layouts, which depend on the processor,
        and the replacement of Q/DQ by integer operators, which depends on it too.
        """
        _check_precision(precision)
        _session(model, threads=1)
        quantized = any(node.op_type == "QuantizeLinear" for node in parse_model(model, check=False).graph.node)
        level = ort.GraphOptimizationLevel
        optimised = _optimised(model, level.ORT_ENABLE_BASIC if quantized else level.ORT_ENABLE_EXTENDED)
        return optimised if len(optimised) < len(model) else model

    def open(self, model: bytes, precision: Precision, threads: int) -> OnnxRuntimeSession:
        """See `engine.Engine.open`."""
        _check_precision(precision)
        return OnnxRuntimeSession(model, threads)


def _check_precision(precision: Precision) -> None:
    if precision not in _PRECISIONS:
        reason = "it computes in the precision of the graph on CPUs"
        raise UnsupportedPrecision("onnxruntime", precision, reason, _PRECISIONS)


def _options(threads: int) -> ort.SessionOptions:
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = _QUIET
    return options


def _session(model: bytes, threads: int) -> ort.InferenceSession:
    try:
        return ort.InferenceSession(model, _options(threads), providers=["CPUExecutionProvider"])
    # onnxruntime's exceptions share no base class
    except Exception as error:
        raise _refusal(model, error) from error


def _refusal(model: bytes, error: Exception) -> UnsupportedByRuntime:
    message = str(error)
    return UnsupportedByRuntime(
        "onnxruntime", node_of_message(parse_model(model, check=False), message), first_sentence(message)
    )


def _optimised(model: bytes, level: ort.GraphOptimizationLevel) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "optimised.onnx"
        options = _options(threads=1)
        options.graph_optimization_level = level
        options.optimized_model_filepath = str(path)
        ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])
        optimised = onnx.load_model(path)
    # ONNX Runtime declares every operator set it knows; other tools refuse those they do not
    used = {node.domain for node in optimised.graph.node}
    kept = [entry for entry in optimised.opset_import if entry.domain in used | {""}]
    del optimised.opset_import[:]
    optimised.opset_import.extend(kept)
    serialised: bytes = optimised.SerializeToString(deterministic=True)
    return serialised
