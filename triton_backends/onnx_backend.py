"""Triton's Python backend interface over an `Engine`: the part that both backends share."""

import ctypes
import json
import re
from collections.abc import Mapping, Sequence
from itertools import starmap
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import triton_python_backend_utils as pb_utils  # exists only inside Triton's stub
from numpy.typing import NDArray

from triton_backends.engine import Engine, EngineOptions, Runtime
from triton_backends.orphan_watch import leave_with_parent
from triton_backends.tensor_spec import (
    DYNAMIC,
    STRING_TYPE,
    ZERO_COPY_TYPES,
    ModelMismatch,
    TensorSpec,
    configured_tensors,
)

MODEL_FILE = "model.onnx"
DEFAULT_MAX_BATCH_SIZE = 4
"""What auto-completion sets for a model with a dynamic first axis, as NVIDIA's ONNX Runtime backend does."""


# Triton 2.51's stub reads arrays by the layout that numpy had before 2; with numpy 2 tensors go by DLPack instead.
_NEEDS_DLPACK = int(np.__version__.partition(".")[0]) >= 2
_WITHOUT_DLPACK = (STRING_TYPE, "TYPE_BOOL")


class OnnxBackend:
    """A Triton model instance that runs the rows of a request one after another at batch 1.

    One row at a time costs nothing on a CPU thread (a batch of 8 takes 8 times as long as 1), needs no copy to gather a
    batch, lets the runtime compile for a fixed shape, and serves graphs with a fixed batch of 1 as well.
    """

    runtime: ClassVar[Runtime]

    _engine: Engine
    _inputs: tuple[TensorSpec, ...]
    _outputs: tuple[TensorSpec, ...]
    _batched: bool

    @classmethod
    def auto_complete_config(cls, auto_complete_model_config: Any) -> Any:
        """Fills what the configuration leaves out from the model file (called unless the server disables it)."""
        config = auto_complete_model_config.as_dict()
        inputs, outputs = cls.runtime.describe(_model_path(Path(pb_utils.get_model_dir()), config))
        declared = bool(config["input"] or config["output"])
        batched = config["max_batch_size"] > 0
        if not declared and not batched and all(spec.shape[:1] == (DYNAMIC,) for spec in (*inputs, *outputs)):
            auto_complete_model_config.set_max_batch_size(DEFAULT_MAX_BATCH_SIZE)
            batched = True
        _declare(config["input"], inputs, auto_complete_model_config.add_input, batched=batched)
        _declare(config["output"], outputs, auto_complete_model_config.add_output, batched=batched)
        return auto_complete_model_config

    def initialize(self, args: Mapping[str, str]) -> None:
        """Opens the model and runs it once, so that READY means warm.

        Raises:
            TritonModelException: One sentence that says what is wrong with the model or its configuration.
        """
        leave_with_parent()
        try:
            self._open(args)
        except Exception as error:  # noqa: BLE001  # whatever it is, Triton's client shall read one sentence
            raise pb_utils.TritonModelException(f"{self.runtime.name}: {_sentence(error)}") from None

    def _open(self, args: Mapping[str, str]) -> None:
        config = json.loads(args["model_config"])
        path = _model_path(Path(args["model_repository"]) / args["model_version"], config)
        if not path.is_file():
            raise FileNotFoundError(f"there is no model file {path}")
        options = EngineOptions.from_parameters(config.get("parameters", {}))
        inputs, outputs = self.runtime.describe(path)
        _require_passable((*inputs, *outputs))
        self._batched = config["max_batch_size"] > 0
        self._inputs = configured_tensors("input", config["input"], inputs, batched=self._batched)
        self._outputs = configured_tensors("output", config["output"], outputs, batched=self._batched)
        self._engine = self.runtime.open(path, self._inputs, self._outputs, options)
        self._warm_up()

    def _warm_up(self) -> None:
        if not all(spec.is_static and spec.data_type != STRING_TYPE for spec in self._inputs):
            return
        try:
            self._run([np.zeros(spec.shape, ZERO_COPY_TYPES[spec.data_type]) for spec in self._inputs])
        except Exception as error:  # noqa: BLE001  # a model may refuse zeros and be sound
            pb_utils.Logger.log_warn(f"{self.runtime.name}: no warm-up, zeros do not pass: {_sentence(error)}")

    def execute(self, requests: Sequence[Any]) -> list[Any]:
        """Answers each request by itself: one that fails takes no other with it."""
        return [self._answer(request) for request in requests]

    def _answer(self, request: Any) -> Any:
        try:
            by_name = {tensor.name(): tensor for tensor in request.inputs()}
            outputs = self._run([_array_of(by_name[spec.name]) for spec in self._inputs])
            named = zip((spec.name for spec in self._outputs), outputs, strict=True)
            return pb_utils.InferenceResponse(list(starmap(_tensor_of, named)))
        except Exception as error:  # noqa: BLE001  # whatever a runtime raises belongs to this request
            return pb_utils.InferenceResponse(error=pb_utils.TritonError(f"{self.runtime.name}: {_sentence(error)}"))

    def _run(self, inputs: Sequence[NDArray[Any]]) -> list[NDArray[Any]]:
        rows = inputs[0].shape[0] if self._batched else 1
        whole = [_allocate(spec, rows, batched=self._batched) for spec in self._outputs]
        if not self._batched:
            return list(self._engine.run(inputs, whole))
        parts = [
            self._engine.run(
                [array[row : row + 1] for array in inputs],
                [None if array is None else array[row : row + 1] for array in whole],
            )
            for row in range(rows)
        ]
        return [
            np.concatenate([part[index] for part in parts]) if array is None else array
            for index, array in enumerate(whole)
        ]

    def finalize(self) -> None:
        """Called before the instance goes."""


def _array_of(tensor: Any) -> NDArray[Any]:
    if not _NEEDS_DLPACK:
        array: NDArray[Any] = tensor.as_numpy()
        return array
    view: NDArray[Any] = np.from_dlpack(tensor)
    if view.flags.writeable or view.size == 0:
        return view
    # OpenVINO shares only memory that is marked writable, and this is ours to write to
    flat = np.ctypeslib.as_array((ctypes.c_uint8 * view.nbytes).from_address(view.ctypes.data))
    writable: NDArray[Any] = flat.view(view.dtype).reshape(view.shape)
    return writable


def _tensor_of(name: str, array: NDArray[Any]) -> Any:
    if not _NEEDS_DLPACK:
        return pb_utils.Tensor(name, array)
    return pb_utils.Tensor.from_dlpack(name, np.ascontiguousarray(array))


def _require_passable(specs: Sequence[TensorSpec]) -> None:
    for spec in specs:
        if _NEEDS_DLPACK and spec.data_type in _WITHOUT_DLPACK:
            raise ModelMismatch(
                f"tensor {spec.name!r} is {spec.data_type}, which this Triton cannot pass on with numpy 2:"
                " run the gateway with Python 3.11 or 3.12 and numpy 1.26"
            )


def _sentence(error: Exception) -> str:
    text = re.sub(r"(Exception from|Check '.*' failed at) \S+:\d+:", "", str(error))
    return " ".join(text.split()) or type(error).__name__


def _model_path(version_folder: Path, config: Mapping[str, Any]) -> Path:
    named = version_folder / (config.get("default_model_filename") or MODEL_FILE)
    # Triton itself fills in model.xml where the backend is called openvino.
    return named if named.is_file() else version_folder / MODEL_FILE


def _allocate(spec: TensorSpec, rows: int, *, batched: bool) -> NDArray[Any] | None:
    if not spec.is_static or spec.data_type == STRING_TYPE:
        return None
    shape = (rows, *spec.shape[1:]) if batched else spec.shape
    return np.empty(shape, ZERO_COPY_TYPES[spec.data_type])


def _declare(declared: Sequence[Mapping[str, Any]], specs: Sequence[TensorSpec], add: Any, *, batched: bool) -> None:
    complete = {entry["name"] for entry in declared if entry["dims"] and entry["data_type"] != "TYPE_INVALID"}
    for spec in specs:
        if spec.name not in complete:
            dims = list(spec.shape[1:] if batched else spec.shape)
            add({"name": spec.name, "data_type": spec.data_type, "dims": dims})
