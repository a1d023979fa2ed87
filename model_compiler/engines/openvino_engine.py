"""OpenVINO on the CPU, compiled as the Triton backend of this repository compiles it."""

from collections.abc import Mapping

import openvino as ov

from model_compiler.engines.engine import Array
from model_compiler.engines.errors import UnsupportedByRuntime, UnsupportedPrecision
from model_compiler.engines.quantized_nodes import zero_points
from model_compiler.graph.node_names import first_sentence, node_of_message
from model_compiler.graph.onnx_model import interface_of, parse_model
from model_compiler.variant import Backend, Precision

_DEVICE = "CPU"


class OpenVinoSession:
    """One model, compiled anew for each batch size that comes: a fixed shape is faster than an open one."""

    def __init__(self, core: ov.Core, model: bytes, properties: Mapping[str, object]) -> None:
        self._core, self._model, self._properties = core, model, properties
        self._compiled: dict[tuple[tuple[int, ...], ...], ov.CompiledModel] = {}

    def run(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """See `engine.Session.run`."""
        key = tuple(array.shape for _, array in sorted(inputs.items()))
        if key not in self._compiled:
            self._compiled[key] = _compile(
                self._core, self._model, self._properties, {name: array.shape for name, array in inputs.items()}
            )
        try:
            values = self._compiled[key](dict(inputs))
        except RuntimeError as error:
            # the next inference of a compiled model that failed once corrupts the heap (seen with OpenVINO 2026.4)
            del self._compiled[key]
            raise _refusal(self._model, error) from error
        return {port.get_any_name(): array for port, array in values.items()}


class OpenVinoEngine:
    """Reads ONNX; the precision is a hint that leaves integer arithmetic and element types of tensors alone."""

    name: Backend = "openvino"

    def __init__(self) -> None:
        self._core = ov.Core()

    def missing(self) -> str | None:
        """Nothing: it is a dependency of the compiler, and its CPU device needs no hardware of its own."""
        return None

    def version(self) -> str:
        """See `engine.Engine.version`."""
        return f"openvino {ov.get_version().split('-')[0]}"

    def precisions(self) -> tuple[Precision, ...]:
        """See `engine.Engine.precisions`; bf16 only where the processor computes in it."""
        capabilities = self._core.get_property(_DEVICE, "OPTIMIZATION_CAPABILITIES")
        return ("auto", "f32", "bf16") if "BF16" in capabilities else ("auto", "f32")

    def prepare(self, model: bytes, precision: Precision) -> bytes:
        """The same graph: the backend reads ONNX, and what OpenVINO makes of it depends on the processor."""
        _check_quantization(model, precision)
        _compile(self._core, model, self._properties(precision, 1), _shapes(model, batch_size=1))
        return model

    def open(self, model: bytes, precision: Precision, threads: int) -> OpenVinoSession:
        """See `engine.Engine.open`."""
        _check_quantization(model, precision)
        return OpenVinoSession(self._core, model, self._properties(precision, threads))

    def _properties(self, precision: Precision, threads: int) -> dict[str, object]:
        known = self.precisions()
        if precision not in known:
            raise UnsupportedPrecision("openvino", precision, "this processor does not compute in it", known)
        fast = "bf16" in known and precision != "f32"
        return {
            "PERFORMANCE_HINT": "LATENCY",
            "NUM_STREAMS": 1,
            "INFERENCE_NUM_THREADS": threads,
            "ENABLE_CPU_PINNING": "NO",
            "INFERENCE_PRECISION_HINT": "bf16" if fast else "f32",
        }


def _check_quantization(model: bytes, precision: Precision) -> None:
    """Signed integers must be centred where floats may become bf16: on processors with AMX such a graph fails."""
    if precision == "f32":
        return
    for point in zero_points(parse_model(model, check=False)):
        if point.integers == "int8" and not point.centred:
            raise UnsupportedByRuntime(
                "openvino",
                point.node,
                f"it quantises to int8 with a zero point other than 0, which OpenVINO does not compile under precision"
                f" {precision!r} on processors with AMX: quantise symmetrically, or run it with precision 'f32'",
            )


def _shapes(model: bytes, *, batch_size: int) -> dict[str, tuple[int, ...]]:
    inputs = interface_of(parse_model(model, check=False)).inputs
    for tensor in inputs:
        if None in tensor.shape[1:]:
            raise UnsupportedByRuntime(
                "openvino", None, f"{tensor} has open axes besides the first: fix its size, or export it with one"
            )
    return {tensor.name: tuple(batch_size if size is None else size for size in tensor.shape) for tensor in inputs}


def _compile(
    core: ov.Core, model: bytes, properties: Mapping[str, object], shapes: Mapping[str, tuple[int, ...]]
) -> ov.CompiledModel:
    try:
        read = core.read_model(model)
        _check_names(read, shapes)
        read.reshape({name: ov.PartialShape(list(shape)) for name, shape in shapes.items()})
        # with one thread OpenVINO 2026.4 swallows errors of a graph whose shapes depend on data, and answers garbage
        threads = 2 if read.is_dynamic() else properties["INFERENCE_NUM_THREADS"]
        return core.compile_model(read, _DEVICE, {**properties, "INFERENCE_NUM_THREADS": threads})
    except RuntimeError as error:
        raise _refusal(model, error) from error


def _check_names(read: ov.Model, shapes: Mapping[str, tuple[int, ...]]) -> None:
    names = {port.get_any_name() for port in read.inputs}
    if names != set(shapes):
        raise UnsupportedByRuntime("openvino", None, f"it has the inputs {sorted(names)}, got {sorted(shapes)}")


def _refusal(model: bytes, error: RuntimeError) -> UnsupportedByRuntime:
    message = str(error)
    node = node_of_message(parse_model(model, check=False), message)
    return UnsupportedByRuntime("openvino", node, first_sentence(message))
