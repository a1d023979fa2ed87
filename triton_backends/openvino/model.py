"""Triton backend `openvino`: ONNX models on OpenVINO's CPU device, in bfloat16 where the processor computes in it."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, ClassVar

import openvino as ov
from numpy.typing import NDArray

from triton_backends.engine import EngineOptions, OptionsError, Precision, Runtime
from triton_backends.onnx_backend import OnnxBackend
from triton_backends.tensor_spec import DYNAMIC, ModelMismatch, TensorSpec

TRITON_TYPES = {
    "boolean": "TYPE_BOOL",
    "u8": "TYPE_UINT8",
    "u16": "TYPE_UINT16",
    "u32": "TYPE_UINT32",
    "u64": "TYPE_UINT64",
    "i8": "TYPE_INT8",
    "i16": "TYPE_INT16",
    "i32": "TYPE_INT32",
    "i64": "TYPE_INT64",
    "f16": "TYPE_FP16",
    "f32": "TYPE_FP32",
    "f64": "TYPE_FP64",
}


class OpenVinoEngine:
    """A compiled OpenVINO model with one inference request."""

    def __init__(
        self, compile_model: Callable[[], ov.CompiledModel], input_ports: Sequence[int], output_ports: Sequence[int]
    ) -> None:
        self._compile = compile_model
        self._request = compile_model().create_infer_request()
        self._input_ports = input_ports
        self._output_ports = output_ports

    def run(self, inputs: Sequence[NDArray[Any]], outputs: Sequence[NDArray[Any] | None]) -> list[NDArray[Any]]:
        """See `triton_backends.engine.Engine.run`."""
        request = self._request
        for port, array in zip(self._input_ports, inputs, strict=True):
            request.set_input_tensor(port, ov.Tensor(array, shared_memory=True))
        for port, output in zip(self._output_ports, outputs, strict=True):
            if output is not None:
                request.set_output_tensor(port, ov.Tensor(output, shared_memory=True))
        try:
            request.infer()
        except RuntimeError:
            # The next inference of a compiled model that failed once corrupts the heap (seen with OpenVINO 2026.4).
            self._request = self._compile().create_infer_request()
            raise
        return [
            request.get_output_tensor(port).data.copy() if output is None else output
            for port, output in zip(self._output_ports, outputs, strict=True)
        ]


class OpenVinoRuntime:
    """OpenVINO on the CPU: one stream, no pinning, for several processes share the cores."""

    name = "openvino"

    def __init__(self) -> None:
        self._core = ov.Core()

    def describe(self, path: Path) -> tuple[tuple[TensorSpec, ...], tuple[TensorSpec, ...]]:
        """See `triton_backends.engine.Runtime.describe`."""
        model = self._core.read_model(path)
        return tuple(map(_spec, model.inputs)), tuple(map(_spec, model.outputs))

    def open(
        self, path: Path, inputs: Sequence[TensorSpec], outputs: Sequence[TensorSpec], options: EngineOptions
    ) -> OpenVinoEngine:
        """See `triton_backends.engine.Runtime.open`; a fixed shape is 20 % faster than a dynamic one."""
        model = self._core.read_model(path)
        input_names = [port.get_any_name() for port in model.inputs]
        output_names = [port.get_any_name() for port in model.outputs]
        model.reshape({spec.name: ov.PartialShape(list(spec.shape)) for spec in inputs})
        # With one thread OpenVINO 2026.4 swallows errors of a graph whose shapes depend on data, and answers garbage.
        threads = max(2, options.threads) if model.is_dynamic() else options.threads
        properties = self._properties(threads, options.precision)
        return OpenVinoEngine(
            lambda: self._core.compile_model(model, "CPU", properties),
            [input_names.index(spec.name) for spec in inputs],
            [output_names.index(spec.name) for spec in outputs],
        )

    def _properties(self, threads: int, precision: Precision) -> dict[str, Any]:
        has_bf16 = "BF16" in self._core.get_property("CPU", "OPTIMIZATION_CAPABILITIES")
        if precision == "bf16" and not has_bf16:
            raise OptionsError("parameter precision: this CPU does not compute in bf16, use auto or f32")
        bf16 = has_bf16 and precision != "f32"
        return {
            "PERFORMANCE_HINT": "LATENCY",
            "NUM_STREAMS": 1,
            "INFERENCE_NUM_THREADS": threads,
            "ENABLE_CPU_PINNING": "NO",
            "INFERENCE_PRECISION_HINT": "bf16" if bf16 else "f32",
        }


class TritonPythonModel(OnnxBackend):
    """The class that Triton looks for."""

    runtime: ClassVar[Runtime] = OpenVinoRuntime()


def _spec(port: Any) -> TensorSpec:
    name, element = port.get_any_name(), port.get_element_type().get_type_name()
    if element not in TRITON_TYPES:
        raise ModelMismatch(f"tensor {name!r} has elements of type {element}, which this backend cannot carry")
    shape = tuple(axis.get_length() if axis.is_static else DYNAMIC for axis in port.get_partial_shape())
    return TensorSpec(name, TRITON_TYPES[element], shape)
