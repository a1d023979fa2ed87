"""The real gateway on a real GPU: what it finds in frames is what the CPU's path finds."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.system.gateway_process import GatewayProcess
from tests.system.test_gpu_path import detections, frame
from tests.vision.cuda.conftest import HAS_GPU

pytestmark = [pytest.mark.gpu, pytest.mark.skipif(not HAS_GPU, reason="no NVIDIA GPU")]

SIZES_WH = ((64, 48), (640, 480), (1919, 1081), (3840, 2160))


@pytest.fixture(scope="module")
def on_the_gpu(tmp_path_factory: pytest.TempPathFactory, seed_dir: Path) -> Iterator[GatewayProcess]:
    process = GatewayProcess(tmp_path_factory.mktemp("gpu") / "state", seed_dir, preprocess="cuda", seed_models="tiny")
    with pytest.MonkeyPatch.context() as environment:
        environment.delenv("NUMBA_ENABLE_CUDASIM", raising=False)
        process.start()
    try:
        process.wait_until_serving("tiny")
        yield process
    finally:
        process.close()


@pytest.mark.parametrize("extension", [".jpg", ".png", ".bmp"])
@pytest.mark.parametrize("size_wh", SIZES_WH, ids=str)
def test_the_same_is_found(
    gateway: GatewayProcess, on_the_gpu: GatewayProcess, size_wh: tuple[int, int], extension: str
) -> None:
    picture = frame(*size_wh, extension)
    expected, found = (rows(detections(each, picture)) for each in (gateway, on_the_gpu))
    assert len(found) == len(expected) == 1
    for one, other in zip(found, expected, strict=True):
        assert one["label"] == other["label"]
        assert one["box"] == pytest.approx(other["box"], abs=0.01 * max(size_wh))
        assert one["score"] == pytest.approx(other["score"], abs=0.02)


def rows(answer: httpx.Response) -> list[dict[str, object]]:
    """What was found in the one frame of a request."""
    found: list[dict[str, object]] = answer.json()["frames"][0]["detections"]
    return found
