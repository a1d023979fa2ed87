"""Triton backend `onnxruntime`: ONNX models on ONNX Runtime's CPU provider."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from triton_backends.engine import EngineOptions, OptionsError, Runtime
from triton_backends.onnx_backend import OnnxBackend
from triton_backends.tensor_spec import DYNAMIC, STRING_TYPE, ModelMismatch, TensorSpec

TRITON_TYPES = {
    "tensor(bool)": "TYPE_BOOL",
    "tensor(uint8)": "TYPE_UINT8",
    "tensor(uint16)": "TYPE_UINT16",
    "tensor(uint32)": "TYPE_UINT32",
    "tensor(uint64)": "TYPE_UINT64",
    "tensor(int8)": "TYPE_INT8",
    "tensor(int16)": "TYPE_INT16",
    "tensor(int32)": "TYPE_INT32",
    "tensor(int64)": "TYPE_INT64",
    "tensor(float16)": "TYPE_FP16",
    "tensor(float)": "TYPE_FP32",
    "tensor(double)": "TYPE_FP64",
    "tensor(string)": STRING_TYPE,
}


class OnnxRuntimeEngine:
    """An ONNX Runtime session."""

    def __init__(
        self, session: ort.InferenceSession, inputs: Sequence[TensorSpec], outputs: Sequence[TensorSpec]
    ) -> None:
        self._session = session
        self._inputs = [(spec.name, spec.data_type == STRING_TYPE) for spec in inputs]
        self._outputs = [spec.name for spec in outputs]
        self._has_strings = any(spec.data_type == STRING_TYPE for spec in (*inputs, *outputs))

    def run(self, inputs: Sequence[NDArray[Any]], outputs: Sequence[NDArray[Any] | None]) -> list[NDArray[Any]]:
        """See `triton_backends.engine.Engine.run`."""
        if self._has_strings or any(output is None for output in outputs):
            feed = {
                name: _decoded(array) if is_string else array
                for (name, is_string), array in zip(self._inputs, inputs, strict=True)
            }
            return list(self._session.run(self._outputs, feed))
        binding = self._session.io_binding()
        for (name, _), array in zip(self._inputs, inputs, strict=True):
            binding.bind_input(name, "cpu", 0, array.dtype, array.shape, array.ctypes.data)
        for name, output in zip(self._outputs, outputs, strict=True):
            if output is not None:
                binding.bind_output(name, "cpu", 0, output.dtype, output.shape, output.ctypes.data)
        self._session.run_with_iobinding(binding)
        return [output for output in outputs if output is not None]


class OnnxRuntime:
    """ONNX Runtime on the CPU; it computes in the precision of the graph."""

    name = "onnxruntime"

    def describe(self, path: Path) -> tuple[tuple[TensorSpec, ...], tuple[TensorSpec, ...]]:
        """See `triton_backends.engine.Runtime.describe`."""
        session = _session(path, EngineOptions(), optimise=False)
        return tuple(map(_spec, session.get_inputs())), tuple(map(_spec, session.get_outputs()))

    def open(
        self, path: Path, inputs: Sequence[TensorSpec], outputs: Sequence[TensorSpec], options: EngineOptions
    ) -> OnnxRuntimeEngine:
        """See `triton_backends.engine.Runtime.open`."""
        if options.precision == "bf16":
            raise OptionsError("parameter precision: ONNX Runtime has no bf16 on CPUs, use auto or f32")
        return OnnxRuntimeEngine(_session(path, options, optimise=True), inputs, outputs)


class TritonPythonModel(OnnxBackend):
    """The class that Triton looks for."""

    runtime: ClassVar[Runtime] = OnnxRuntime()


def _session(path: Path, options: EngineOptions, *, optimise: bool) -> ort.InferenceSession:
    session_options = ort.SessionOptions()
    session_options.intra_op_num_threads = options.threads
    session_options.inter_op_num_threads = 1
    session_options.log_severity_level = 3
    if not optimise:
        session_options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    return ort.InferenceSession(str(path), session_options, providers=["CPUExecutionProvider"])


def _spec(argument: ort.NodeArg) -> TensorSpec:
    if argument.type not in TRITON_TYPES:
        raise ModelMismatch(f"tensor {argument.name!r} is a {argument.type}, which Triton cannot carry")
    shape = tuple(size if isinstance(size, int) else DYNAMIC for size in argument.shape)
    return TensorSpec(argument.name, TRITON_TYPES[argument.type], shape)


def _decoded(array: NDArray[Any]) -> NDArray[Any]:
    texts = [element.decode() if isinstance(element, bytes) else str(element) for element in array.reshape(-1)]
    return np.array(texts, dtype=np.object_).reshape(array.shape)
