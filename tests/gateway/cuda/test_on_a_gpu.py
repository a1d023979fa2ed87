"""What only a GPU can show: real frames, nvImageCodec's own decoders, several streams at one time."""

import asyncio
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np
import pytest

from contracts.model_card import InputSpec
from gateway.cuda.device_path import DevicePath
from gateway.cuda.jpeg_decoder import why_no_jpeg_decoder
from gateway.frame_memory import HostFrameMemory
from gateway.frames.preparation import prepare_input
from tests.gateway.cuda.conftest import HAS_GPU
from tests.gateway.cuda.prepared_frames import Tensor, content, dtype_of

pytestmark = [pytest.mark.gpu, pytest.mark.skipif(not HAS_GPU, reason="no NVIDIA GPU")]

SAMPLES = sorted((Path(__file__).parents[3] / "samples" / "frames").glob("*.jpg"))
ODD_SIZES = ((1280, 960), (1919, 1081), (3840, 2160), (333, 777), (640, 641))
SPECS = [
    InputSpec(width=640, height=640),
    InputSpec(width=416, height=320, mode="crop", color="bgr"),
    InputSpec(width=640, height=640, datatype="FP32", layout="NCHW", mode="stretch", mean=(0.4, 0.5, 0.6)),
]
MOST_PIXELS = 50_000_000


def frames(extension: str) -> list[bytes]:
    """Sample frames in odd sizes."""
    pixels = [cv2.imread(str(path)) for path in SAMPLES[: len(ODD_SIZES)]]
    resized = [cv2.resize(each, wh) for each, wh in zip(pixels, ODD_SIZES, strict=True) if each is not None]
    return [cv2.imencode(extension, each)[1].tobytes() for each in resized]


@pytest.fixture(scope="module")
def prepared() -> list[bool]:
    return []


@pytest.fixture(scope="module")
def path(prepared: list[bool]) -> Iterator[DevicePath]:
    with ThreadPoolExecutor(4) as executor:
        found = DevicePath(0, executor, streams=4, batch=8, max_pixels=MOST_PIXELS, on_prepared=prepared.append)
        yield found
        found.close()


@pytest.mark.parametrize("spec", SPECS, ids=str)
@pytest.mark.parametrize("extension", [".png", ".jpg"])
async def test_many_frames_at_once_become_the_tensors_of_the_cpu_path(
    path: DevicePath, prepared: list[bool], spec: InputSpec, extension: str
) -> None:
    pictures = frames(extension) * 6
    memory = HostFrameMemory(None, len(pictures), spec.size_bytes)
    prepared.clear()
    found = await asyncio.gather(
        *(path.preparer.prepare(picture, spec, memory, slot) for slot, picture in enumerate(pictures))
    )
    by_device = extension == ".jpg" and not why_no_jpeg_decoder()
    assert prepared == [by_device] * len(pictures)
    level = 1.0 if spec.datatype == "UINT8" else spec.scale / min(spec.std)
    for slot, (picture, one) in enumerate(zip(pictures, found, strict=True)):
        expected: Tensor = np.zeros(spec.shape, dtype_of(spec))
        assert one.placement == prepare_input(picture, spec, expected, MOST_PIXELS).placement
        difference = np.abs(content(memory, slot, spec).astype(np.float64) - expected) / level
        assert difference.mean() <= (2.0 if by_device else 0.01)
        assert by_device or difference.max() <= 1.001
