"""The resident model behind the gateway: on a GPU where there is one, and the very same on the CPU."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import httpx
import numpy as np
import pytest
from numpy.typing import NDArray

from benchmarks.resident_backend import parts_of, predictions
from benchmarks.resident_model import why_no_device_arrays, write_resident_build
from contracts.model_card import ModelCard
from gateway.frames.decoding import Decoder
from gateway.frames.preparation import prepare_input
from tests.system.gateway_process import GatewayProcess
from tests.vision.cuda.conftest import HAS_GPU
from vision.prepare import DEFAULT_MAX_PIXELS

WIDTH, HEIGHT = 64, 48
SHAPES = {"resident": (300, 6), "resident-raw": (6, 2100)}
"""Of the outputs: candidates, and a head that the gateway decodes."""
LOG_LINES = {"cpu": "resident model: input in the memory of the machine", "gpu": "resident model: input on the GPU"}
Pixels = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Leg:
    """Where frames are prepared and the model runs.

    Attributes:
        name: ``cpu`` or ``gpu``.
        preprocess: The gateway's setting.
        transport: How tensors are to reach Triton.
    """

    name: str
    preprocess: str
    transport: str

    @property
    def on_gpu(self) -> bool:
        return self.name == "gpu"

    @property
    def start_seconds(self) -> float:
        """On a GPU kernels are compiled first."""
        return 240.0 if self.on_gpu else 120.0

    def write_builds(self, folder: Path, *, pause_ms: float = 0.0) -> dict[str, ModelCard]:
        """Both models; returns their cards."""
        write = partial(write_resident_build, folder, input_wh=(WIDTH, HEIGHT), on_gpu=self.on_gpu, pause_ms=pause_ms)
        return {model: write(model=model, output_shape=shape) for model, shape in SHAPES.items()}

    def device_bytes_reader(self) -> Callable[[], float]:
        """Reads how much memory of the GPU is taken, by whomever; 0 on the CPU."""
        if not self.on_gpu:
            return lambda: 0.0
        from gateway.cuda.device import CudaDevice

        device = CudaDevice(0)

        def read() -> float:
            free, total = device.memory_bytes()
            return float(total - free)

        return read

    def saw_its_tensors(self, log: Path) -> bool:
        """Whether the model said in Triton's log that an input was where it should be."""
        return f'"{LOG_LINES[self.name]}"' in log.read_text()


CPU = Leg("cpu", "cpu", "system_shared_memory")
GPU = Leg("gpu", "cuda", "cuda_shared_memory")
LEGS = [
    pytest.param(CPU, id="cpu"),
    pytest.param(
        GPU,
        id="gpu",
        marks=[
            pytest.mark.gpu,
            pytest.mark.skipif(not HAS_GPU, reason="no NVIDIA GPU"),
            pytest.mark.skipif(HAS_GPU and bool(why_no_device_arrays()), reason=why_no_device_arrays()),
        ],
    ),
]


def expected_output(model: str, pixels: Pixels) -> NDArray[np.float32]:
    """What the model makes of an input (height, width, 3), by NumPy."""
    found: NDArray[np.float32] = predictions(pixels[None], parts_of(SHAPES[model], (WIDTH, HEIGHT)))[0]
    return found


def expected_rows(card: ModelCard, picture: bytes) -> NDArray[np.float64]:
    """What is to be found in a picture, by the CPU's path: see ``found_rows``."""
    pixels = np.zeros(card.input.shape, np.uint8)
    placement = prepare_input(picture, card.input, pixels, DEFAULT_MAX_PIXELS).placement
    boxes, scores, classes = Decoder(card).decode(expected_output(card.model, pixels[0]), placement)
    return _sorted(np.column_stack([classes, scores, boxes]))


def found_rows(
    gateway: GatewayProcess, model: str, picture: bytes, client: httpx.Client | None = None
) -> NDArray[np.float64]:
    """What the gateway finds: class, score, box, the surest of each class first."""
    url = f"{gateway.http_url}/v1/models/{model}/detect"
    if client is None:
        answer = httpx.post(url, content=picture, timeout=60.0, trust_env=False)
    else:
        answer = client.post(url, content=picture)
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["frames"][0]["detections"]
    return _sorted(np.array([[each["class"], each["score"], *each["box"]] for each in found]).reshape(-1, 6))


def _sorted(rows: NDArray[Any]) -> NDArray[np.float64]:
    ordered: NDArray[np.float64] = rows[np.lexsort((-rows[:, 1], rows[:, 0]))].astype(np.float64)
    return ordered


def halves(left: int, right: int, size_wh: tuple[int, int] = (WIDTH, HEIGHT), extension: str = ".png") -> bytes:
    """A picture with a brightness on each side."""
    pixels = np.full((size_wh[1], size_wh[0], 3), left, np.uint8)
    pixels[:, size_wh[0] // 2 :] = right
    return cv2.imencode(extension, pixels)[1].tobytes()
