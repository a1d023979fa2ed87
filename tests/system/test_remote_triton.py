"""A gateway in front of a Triton that somebody else runs."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
import tritonclient.grpc
from tritonclient.utils import InferenceServerException

from contracts.active_models import ActiveModel, ActiveModels
from tests.system.gateway_process import GatewayProcess, wait_for
from tests.system.test_serving import frames_input


@pytest.fixture(scope="module")
def owner(tmp_path_factory: pytest.TempPathFactory, seed_dir: Path) -> Iterator[GatewayProcess]:
    """Its embedded Triton is the remote one of the other gateway."""
    process = GatewayProcess(tmp_path_factory.mktemp("owner") / "state", seed_dir)
    process.start()
    try:
        process.wait_until_ready()
        yield process
    finally:
        process.close()


@pytest.fixture(params=["auto", "off"], ids=["shared-memory", "tensors-in-the-request"])
def remote(
    owner: GatewayProcess, tmp_path: Path, seed_dir: Path, request: pytest.FixtureRequest
) -> Iterator[GatewayProcess]:
    process = GatewayProcess(
        tmp_path / "state", seed_dir, triton=f"grpc://{owner.triton_address}", shared_memory=request.param
    )
    process.state_dir.mkdir()
    active = ActiveModels(models={"mine": ActiveModel(stable="tiny-1.0.0_x86-cpu")})
    (process.state_dir / "active.json").write_text(active.model_dump_json())
    process.start()
    try:
        process.wait_until_ready()
        yield process
    finally:
        process.close()


def detect(gateway: GatewayProcess, frame: bytes) -> list[int]:
    with tritonclient.grpc.InferenceServerClient(gateway.grpc_address) as client:
        answer = client.infer("mine", [frames_input(tritonclient.grpc, frame)])
    counts: list[int] = answer.as_numpy("num_detections").tolist()
    return counts


def is_answered(gateway: GatewayProcess, frame: bytes) -> bool:
    try:
        return detect(gateway, frame) == [1]
    except InferenceServerException:
        return False


def test_the_card_comes_from_the_remote_config_and_frames_are_answered(
    remote: GatewayProcess, owner: GatewayProcess, grey_jpeg: bytes, request: pytest.FixtureRequest
) -> None:
    assert detect(remote, grey_jpeg) == [1]
    (worker,) = remote.status()["workers"]
    assert worker["shared_memory"] == ("shared-memory" in request.node.name)
    assert bool(worker["shared_memory_reason"]) != worker["shared_memory"]
    assert remote.stop() == 0
    assert owner.is_ready()  # the other's Triton stays as it was


def test_service_returns_with_the_remote_triton(
    remote: GatewayProcess, owner: GatewayProcess, grey_jpeg: bytes
) -> None:
    starts = owner.metric("outpost_triton_starts")
    os.kill(owner.triton().pid, signal.SIGKILL)
    wait_for(lambda: owner.metric("outpost_triton_starts") > starts and owner.is_ready(), 60.0, owner.log)
    wait_for(lambda: is_answered(remote, grey_jpeg), 30.0, remote.log)
    assert [detect(remote, grey_jpeg) for _ in range(20)] == [[1]] * 20
