"""``outpost-gateway triton`` beside a gateway that shares its state folder, as in two containers."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
import tritonclient.grpc

from contracts.active_models import ActiveModels
from gateway.frame_memory import SHARED_MEMORY_DIR
from gateway.supervision.child_processes import children_of
from gateway.supervision.state_folder import StateFolder
from tests.system.gateway_process import GatewayProcess, TritonProcess, wait_for
from tests.system.small_builds import brightness_detector, card, write_build
from tests.system.test_serving import frames_input


def gateway_of(triton: TritonProcess, **settings: object) -> GatewayProcess:
    return GatewayProcess(
        triton.state_dir,
        triton.state_dir / "nothing-to-seed",
        triton=f"grpc://{triton.triton_address}",
        triton_shares_state=True,
        **settings,
    )


@pytest.fixture
def triton(tmp_path: Path, seed_dir: Path) -> Iterator[TritonProcess]:
    process = TritonProcess(tmp_path / "state", seed_dir)
    process.start()
    try:
        process.wait_until_live()
        yield process
    finally:
        process.close()


@pytest.fixture
def gateway(triton: TritonProcess) -> Iterator[GatewayProcess]:
    process = gateway_of(triton, probe_seconds=0)  # what is found out, is found out at once
    process.start()
    try:
        process.wait_until_serving("tiny", "plus-1.0.0_x86-cpu")
        yield process
    finally:
        process.close()


def is_answered(gateway: GatewayProcess, frame: bytes) -> bool:
    with tritonclient.grpc.InferenceServerClient(gateway.grpc_address) as client:
        answer = client.infer("tiny", [frames_input(tritonclient.grpc, frame)])
    return bool(answer.as_numpy("num_detections").tolist() == [1])


def test_the_folder_that_triton_seeds_is_served_through_shared_memory_with_this_machine_s_instances(
    gateway: GatewayProcess, triton: TritonProcess, grey_jpeg: bytes
) -> None:
    assert is_answered(gateway, grey_jpeg)
    answer = httpx.get(f"http://127.0.0.1:{gateway.ports['admin']}/ready", trust_env=False)
    assert (answer.status_code == 200) == gateway.is_ready()
    status = gateway.status()
    assert [worker["shared_memory"] for worker in status["workers"]] == [True]
    assert status["machine"]["hardware_class"] != "not known: an external Triton"
    of_tiny = [child for child in children_of(triton.server().pid) if "tiny-1.0.0_x86-cpu" in " ".join(child.command)]
    assert len(of_tiny) == status["machine"]["instances_per_build"]


def test_a_triton_that_is_back_before_anybody_asked_is_known_as_another_one(
    gateway: GatewayProcess, triton: TritonProcess, grey_jpeg: bytes
) -> None:
    assert triton.process is not None
    os.kill(triton.server().pid, signal.SIGKILL)
    assert triton.process.wait(30.0) == 128 + signal.SIGKILL
    triton.start()
    triton.wait_until_live()
    wait_for(lambda: gateway.metric("outpost_triton_starts") == 2 and gateway.is_ready(), 60.0, gateway.log)
    assert [is_answered(gateway, grey_jpeg) for _ in range(10)] == [True] * 10
    assert [worker["shared_memory"] for worker in gateway.status()["workers"]] == [True]


def test_each_ends_in_order_and_leaves_the_memory_of_the_other(
    triton: TritonProcess, gateway: GatewayProcess, grey_jpeg: bytes
) -> None:
    assert gateway.stop() == 0
    second = gateway_of(triton, probe_seconds=0)
    second.start()
    try:
        second.wait_until_serving("tiny")
        assert is_answered(second, grey_jpeg)
        of_triton, of_gateway = (
            f"{prefix}*"
            for prefix in (
                StateFolder(triton.state_dir).triton_memory_prefix,
                StateFolder(triton.state_dir).frame_memory_prefix,
            )
        )
        assert list(SHARED_MEMORY_DIR.glob(of_triton))
        assert triton.stop() == 0
        assert not list(SHARED_MEMORY_DIR.glob(of_triton))
        assert list(SHARED_MEMORY_DIR.glob(of_gateway))
        reasons = f"http://127.0.0.1:{second.ports['admin']}/ready"
        wait_for(lambda: "does not answer" in httpx.get(reasons, trust_env=False).text, 30.0, second.log)
        answer = httpx.get(reasons, trust_env=False)
        assert (answer.status_code, answer.text) == (503, "Triton is not up: it does not answer\n")
    finally:
        second.close()


def test_a_second_one_on_the_folder_or_the_port_is_refused(
    triton: TritonProcess, tmp_path: Path, seed_dir: Path
) -> None:
    port = triton.ports["triton_grpc"]
    on_the_port = TritonProcess(tmp_path / "other", seed_dir)
    on_the_port.ports["triton_grpc"] = port
    refused = {
        f"another triton uses the state folder {triton.state_dir}": TritonProcess(triton.state_dir, seed_dir),
        f"triton_grpc_port 127.0.0.1:{port} cannot be opened": on_the_port,
    }
    for sentence, process in refused.items():
        process.log_file = tmp_path / "refused.log"
        process.start()
        assert process.process is not None
        assert process.process.wait(30.0) == 2
        assert sentence in process.log()
    assert triton.triton_is_live()


def test_mounted_builds_win_over_those_of_the_image(tmp_path: Path, seed_dir: Path) -> None:
    mounted = tmp_path / "models"
    mounted.mkdir()
    write_build(mounted, card("mine"), brightness_detector().SerializeToString())
    process = TritonProcess(tmp_path / "state", seed_dir, mounted_seed_dir=mounted)
    process.start()
    try:
        process.wait_until_live()
        active = ActiveModels.model_validate_json((process.state_dir / "active.json").read_bytes())
        assert list(active.models) == ["mine"]
        assert [path.name for path in (process.state_dir / "repository").iterdir()] == ["mine-1.0.0_x86-cpu"]
    finally:
        process.close()
