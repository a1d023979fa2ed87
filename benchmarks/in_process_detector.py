"""From JPEG to detections in one plain process, with the runtime and precision of the gateway's backend."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from contracts.model_card import ModelCard
from gateway.frames.decoding import Decoder, Detections
from gateway.frames.preparation import prepare_input
from vision.letterbox import Placement
from vision.prepare import DEFAULT_MAX_PIXELS

Candidates = NDArray[np.float32]
_BACKEND = re.compile(r'^backend:\s*"([a-z]+)"', re.MULTILINE)


class InProcessDetector:
    """One stream with one thread, as one instance of the gateway's backend has.

    Args:
        build: A grafted build: ``config.pbtxt``, ``card.json``, ``1/model.onnx``.
    """

    def __init__(self, build: Path) -> None:
        self.card = ModelCard.model_validate_json((build / "card.json").read_bytes())
        self.runtime = backend_of(build)
        opened = {"openvino": _open_openvino, "onnxruntime": _open_onnxruntime}[self.runtime]
        self._pixels = np.zeros(self.card.input.shape, np.uint8)
        self._infer = opened(build / "1" / "model.onnx", self._pixels)
        self._decoder = Decoder(self.card)

    def prepare(self, frame: bytes) -> Placement:
        """Decode and letterbox a frame into the model's input."""
        return prepare_input(frame, self.card.input, self._pixels, DEFAULT_MAX_PIXELS).placement

    def detect(self, placement: Placement) -> Detections:
        """Infer on what was prepared, then NMS."""
        return self._decoder.decode(self._infer()[0], placement)


def backend_of(build: Path) -> str:
    """The backend that a build names.

    Raises:
        ValueError: It names none.
    """
    found = _BACKEND.search((build / "config.pbtxt").read_text())
    if found is None:
        raise ValueError(f"{build / 'config.pbtxt'} names no backend")
    return found[1]


def _open_openvino(path: Path, pixels: NDArray[np.uint8]) -> Callable[[], Candidates]:
    import openvino as ov  # noqa: PLC0415 - only where a build asks for it

    core = ov.Core()
    model = core.read_model(path)
    model.reshape(list(pixels.shape))
    bf16 = "BF16" in core.get_property("CPU", "OPTIMIZATION_CAPABILITIES")
    compiled = core.compile_model(
        model,
        "CPU",
        {
            "PERFORMANCE_HINT": "LATENCY",
            "NUM_STREAMS": 1,
            "INFERENCE_NUM_THREADS": 1,
            "ENABLE_CPU_PINNING": "NO",
            "INFERENCE_PRECISION_HINT": "bf16" if bf16 else "f32",
        },
    )
    request = compiled.create_infer_request()
    request.set_input_tensor(ov.Tensor(pixels, shared_memory=True))

    def infer() -> Candidates:
        request.infer()
        candidates: Candidates = request.get_output_tensor(0).data
        return candidates

    return infer


def _open_onnxruntime(path: Path, pixels: NDArray[np.uint8]) -> Callable[[], Candidates]:
    import onnxruntime as ort  # noqa: PLC0415 - only where a build asks for it

    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    session: Any = ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name

    def infer() -> Candidates:
        candidates: Candidates = session.run(None, {name: pixels})[0]
        return candidates

    return infer
