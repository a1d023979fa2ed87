"""The real gateway with the GPU's path, whose kernels run in numba's simulator, against the real Triton."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import numpy as np
import pytest

from tests.system.conftest import encode
from tests.system.gateway_process import GatewayProcess


@pytest.fixture(scope="module")
def gpu_gateway(tmp_path_factory: pytest.TempPathFactory, seed_dir: Path) -> Iterator[GatewayProcess]:
    process = GatewayProcess(tmp_path_factory.mktemp("gpu") / "state", seed_dir, preprocess="cuda", seed_models="tiny")
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("NUMBA_ENABLE_CUDASIM", "1")
        process.start()
    try:
        process.wait_until_serving("tiny")
        yield process
    finally:
        process.close()


def detections(gateway: GatewayProcess, frame: bytes) -> httpx.Response:
    return httpx.post(f"{gateway.http_url}/v1/models/tiny/detect", content=frame, timeout=60.0)


def frame(width: int, height: int, extension: str) -> bytes:
    light = np.linspace(40, 220, width * height * 3).reshape(height, width, 3)
    return encode(light.astype(np.uint8), extension)


@pytest.mark.parametrize(
    "picture", [frame(640, 480, ".jpg"), frame(64, 48, ".png"), frame(95, 71, ".bmp")], ids=["jpg", "png", "bmp"]
)
def test_answers_as_the_cpu_path_does(gateway: GatewayProcess, gpu_gateway: GatewayProcess, picture: bytes) -> None:
    expected, found = (detections(each, picture).json()["frames"][0] for each in (gateway, gpu_gateway))
    assert len(found["detections"]) == len(expected["detections"]) == 1
    for one, other in zip(found["detections"], expected["detections"], strict=True):
        assert one["label"] == other["label"]
        assert one["box"] == pytest.approx(other["box"], abs=0.01)
        assert one["score"] == pytest.approx(other["score"], abs=0.005)


def test_a_corrupt_frame_is_the_senders_mistake_and_the_next_one_is_answered(gpu_gateway: GatewayProcess) -> None:
    whole = frame(64, 48, ".jpg")
    answer = detections(gpu_gateway, whole[: len(whole) // 2])
    assert answer.status_code == 400
    assert "cut short" in answer.text
    assert detections(gpu_gateway, whole).status_code == 200


def test_the_path_is_told(gpu_gateway: GatewayProcess) -> None:
    before = gpu_gateway.metric("outpost_device_frames_total", decoder="cpu")
    assert detections(gpu_gateway, frame(64, 48, ".png")).status_code == 200
    assert gpu_gateway.metric("outpost_device_frames_total", decoder="cpu") == before + 1
    assert gpu_gateway.metric("outpost_preprocessing", path="cuda") == 1
    assert gpu_gateway.metric("outpost_preprocessing", path="cpu") == 0
    (worker,) = gpu_gateway.status()["workers"]
    assert (worker["preprocessing"], worker["device_lost"]) == ("cuda", False)
    assert worker["preprocessing_reason"].startswith("simulator")
    assert worker["transport"] == "system_shared_memory"
    assert "simulator has no CUDA IPC" in worker["transport_reasons"]["cuda_shared_memory"]


def test_bench_shows_the_stages_of_both_paths(
    gateway: GatewayProcess, gpu_gateway: GatewayProcess, tmp_path: Path
) -> None:
    (tmp_path / "frame.png").write_bytes(frame(64, 48, ".png"))
    command: list[str | Path] = [
        sys.executable,
        "-m",
        "gateway",
        "bench",
        tmp_path / "frame.png",
        "--model",
        "tiny",
        "--warmup",
        "0",
    ]
    command += ["--grpc", gateway.grpc_address, "--metrics", f"127.0.0.1:{gateway.ports['metrics']}"]
    command += ["--against", gpu_gateway.grpc_address, "--against-metrics", f"127.0.0.1:{gpu_gateway.ports['metrics']}"]
    command += ["--concurrency", "1", "--seconds", "3", "--json", tmp_path / "out.json"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "stages of both, 1 clients" in done.stdout
    loads = json.loads((tmp_path / "out.json").read_text())["loads"]
    assert [load["gateway"].split(" at ")[0] for load in loads] == ["cpu", "cuda"]
    slow = {stage["name"]: stage["latency"]["p50_ms"] for stage in loads[1]["stages"]}
    # the simulator's kernel, and not what the CPU does before it
    assert slow["letterbox"] > 0.5 * slow["total"] > slow["decode"]
