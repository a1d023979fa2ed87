"""``outpost-gateway triton`` beside a gateway that shares its state folder, as in two containers."""

import json
import os
import shutil
import signal
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
import tritonclient.grpc

from contracts.active_models import ActiveModels
from gateway.frame_memory import SHARED_MEMORY_DIR
from gateway.supervision.child_processes import children_of
from gateway.supervision.instance_watch import model_of
from gateway.supervision.state_folder import StateFolder
from tests.system.gateway_process import GatewayProcess, TritonProcess, wait_for
from tests.system.small_builds import brightness_detector, card, write_build
from tests.system.test_serving import frames_input

pytestmark = pytest.mark.long


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
    gateway.wait_until_ready()
    answer = httpx.get(f"http://127.0.0.1:{gateway.ports['admin']}/ready", trust_env=False)
    assert (answer.status_code, answer.text) == (200, "ready\n")
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


def regions_of(triton: TritonProcess) -> list[str]:
    with tritonclient.grpc.InferenceServerClient(triton.triton_address) as client:
        return sorted(client.get_system_shared_memory_status().regions)


def test_triton_forgets_the_memory_of_killed_gateways(triton: TritonProcess, grey_jpeg: bytes) -> None:
    seen = set()
    for workers in (1, 2, 1, 2):
        gateway = gateway_of(triton, probe_seconds=0, workers=workers)
        gateway.start()
        try:
            gateway.wait_until_serving("tiny")
            assert is_answered(gateway, grey_jpeg)
            wait_for(lambda expected=workers: len(regions_of(triton)) == expected, 10.0, gateway.log)  # type: ignore[misc]
            seen.update(regions_of(triton))
            assert [worker["shared_memory"] for worker in gateway.status()["workers"]] == [True] * workers
        finally:
            gateway.kill()
    assert len(seen) == 6  # each worker had one of its own


def test_triton_forgets_the_memory_from_before_it_was_silent_for_a_while(
    triton: TritonProcess, gateway: GatewayProcess, grey_jpeg: bytes
) -> None:
    before = regions_of(triton)
    server = triton.server().pid
    os.kill(server, signal.SIGSTOP)
    try:
        wait_for(lambda: not gateway.status()["triton"]["up"], 15.0, gateway.log)
    finally:
        os.kill(server, signal.SIGCONT)
    wait_for(lambda: gateway.status()["triton"]["starts"] == 2 and gateway.is_ready(), 30.0, gateway.log)
    assert is_answered(gateway, grey_jpeg)
    assert len(regions_of(triton)) == 1
    assert regions_of(triton) != before


def test_triton_forgets_the_memory_of_a_killed_worker(triton: TritonProcess, grey_jpeg: bytes) -> None:
    gateway = gateway_of(triton, probe_seconds=0, workers=2)
    gateway.start()
    try:
        gateway.wait_until_serving("tiny")
        before = regions_of(triton)
        assert len(before) == 2
        pid = gateway.status()["workers"][0]["pid"]
        os.kill(pid, signal.SIGKILL)
        (kept,) = (name for name in before if f"_frames_{pid}_" not in name)
        wait_for(lambda: len(regions_of(triton)) == 2 and regions_of(triton) != before, 20.0, gateway.log)
        assert kept in regions_of(triton)
        assert [is_answered(gateway, grey_jpeg) for _ in range(10)] == [True] * 10
    finally:
        gateway.close()


def backends(triton: TritonProcess) -> dict[int, str]:
    """The backend processes that live, and the build of each."""
    alive = (child for child in children_of(triton.server().pid) if child.state != "Z")
    return {child.pid: model for child in alive if (model := model_of(child.command))}


def backends_of(triton: TritonProcess, build: str) -> set[int]:
    return {pid for pid, known in backends(triton).items() if known == build}


def kill_backends(triton: TritonProcess, pids: set[int]) -> None:
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
    wait_for(lambda: not pids & backends(triton).keys(), 10.0)


def records_of(gateway: GatewayProcess, message: str) -> list[str]:
    """The builds that a line of its log is about."""
    lines = [json.loads(line) for line in gateway.log_file.read_text().splitlines() if line.startswith("{")]
    return [line["build"] for line in lines if line["message"] == message]


@pytest.mark.parametrize("workers", [1, 2])
def test_a_gateway_that_is_started_again_keeps_what_triton_serves(
    triton: TritonProcess, grey_jpeg: bytes, workers: int
) -> None:
    gateway = gateway_of(triton, probe_seconds=0, workers=workers)
    gateway.start()
    try:
        gateway.wait_until_ready()
        before = backends(triton)
        loaded = records_of(gateway, "build loaded")
        assert sorted(loaded) == sorted(set(before.values()))
        for end in (gateway.kill, gateway.stop):
            end()
            wait_for(lambda: not gateway.is_ready(), 10.0)  # workers whose gateway was killed end a moment later
            gateway.log_file.unlink()
            gateway.start()
            gateway.wait_until_ready()
            assert [is_answered(gateway, grey_jpeg) for _ in range(5)] == [True] * 5
            assert (records_of(gateway, "build taken over"), records_of(gateway, "build loaded")) == (loaded, [])
            assert backends(triton) == before
            assert [worker["shared_memory"] for worker in gateway.status()["workers"]] == [True] * workers
    finally:
        gateway.close()


def test_a_gateway_that_is_started_again_loads_what_is_not_as_it_should_be(
    triton: TritonProcess, gateway: GatewayProcess, grey_jpeg: bytes
) -> None:
    tiny = "tiny-1.0.0_x86-cpu"

    def started_again(**settings: object) -> GatewayProcess:
        nonlocal gateway
        gateway.close()
        gateway.log_file.unlink()
        gateway = gateway_of(triton, probe_seconds=0, **settings)
        gateway.start()
        gateway.wait_until_ready()
        assert is_answered(gateway, grey_jpeg)
        return gateway

    gateway.wait_until_ready()
    every = sorted(set(backends(triton).values()))
    gateway.kill()
    shutil.rmtree(triton.state_dir / "repository" / tiny)
    write_build(triton.state_dir / "repository", card("tiny"), brightness_detector(score=0.8).SerializeToString())
    assert records_of(started_again(), "build loaded") == [tiny]
    gateway.kill()
    with tritonclient.grpc.InferenceServerClient(triton.triton_address) as client:
        config = client.get_model_config(tiny, as_json=True)["config"]
        config["instance_group"][0]["count"] += 1
        client.load_model(tiny, config=json.dumps(config))
    assert records_of(started_again(), "build loaded") == [tiny]
    more = gateway.status()["machine"]["instances_per_build"] + 1
    assert sorted(records_of(started_again(instances=more), "build loaded")) == every
    wait_for(lambda: len(backends_of(triton, tiny)) == more, 20.0, lambda: str(backends(triton)))
    gateway.kill()
    assert triton.stop() == 0
    triton.start()
    triton.wait_until_live()
    assert sorted(records_of(started_again(instances=more), "build loaded")) == every
    gateway.close()


@pytest.mark.parametrize("probe_seconds", [0, 10], ids=["by-a-request", "by-a-probe"])
def test_backends_that_died_while_no_gateway_was_there_are_replaced(
    triton: TritonProcess, grey_jpeg: bytes, probe_seconds: int
) -> None:
    gateway = gateway_of(triton, probe_seconds=probe_seconds)
    gateway.start()
    try:
        gateway.wait_until_ready()
        before = backends_of(triton, "tiny-1.0.0_x86-cpu")
        gateway.kill()
        kill_backends(triton, before)
        gateway.start()
        gateway.wait_until_serving("tiny")
        if not probe_seconds:
            assert is_answered(gateway, grey_jpeg)  # a second later, but not with an error
        wait_for(lambda: len(backends_of(triton, "tiny-1.0.0_x86-cpu")) == len(before), 30.0, gateway.log)
        assert [is_answered(gateway, grey_jpeg) for _ in range(5)] == [True] * 5
    finally:
        gateway.close()


def test_a_set_of_which_one_died_while_no_gateway_was_there_is_taken_over_and_replaced(
    triton: TritonProcess, grey_jpeg: bytes
) -> None:
    tiny = "tiny-1.0.0_x86-cpu"
    gateway = gateway_of(triton, probe_seconds=0, instances=2)
    gateway.start()
    try:
        gateway.wait_until_ready()
        before = backends_of(triton, tiny)
        gateway.kill()
        kill_backends(triton, set(sorted(before)[:1]))
        gateway.log_file.unlink()
        gateway.start()
        gateway.wait_until_serving("tiny")
        assert tiny in records_of(gateway, "build taken over")

        def answers_from_a_new_set() -> bool:
            assert is_answered(gateway, grey_jpeg)
            return len(backends_of(triton, tiny) - before) == len(before) == 2

        wait_for(answers_from_a_new_set, 30.0, gateway.log)
    finally:
        gateway.close()


def test_a_build_that_is_not_wanted_any_more_is_unloaded_by_the_next_gateway(
    triton: TritonProcess, gateway: GatewayProcess
) -> None:
    gateway.wait_until_ready()
    gateway.kill()
    file = triton.state_dir / "active.json"
    active = ActiveModels.model_validate_json(file.read_bytes())
    kept = {alias: model for alias, model in active.models.items() if alias != "nan"}
    file.write_text(active.model_copy(update={"models": kept}).model_dump_json())
    before = Counter(backends(triton).values())
    gateway.start()
    gateway.wait_until_ready()
    del before["nan-1.0.0_x86-cpu"]
    wait_for(lambda: Counter(backends(triton).values()) == before, 20.0, lambda: str(backends(triton)))


def test_a_triton_that_hangs_is_ended_for_the_restart_policy_to_start_it_again(triton: TritonProcess) -> None:
    assert triton.process is not None
    server = triton.server()
    time.sleep(3.0)  # it is asked each second: one that was never heard may take a minute
    os.kill(server.pid, signal.SIGSTOP)
    began_at = time.monotonic()
    assert triton.process.wait(40.0) == 128 + signal.SIGKILL
    assert 15.0 < time.monotonic() - began_at < 30.0
    assert "Triton is ended, since it does not answer" in triton.log()
    assert not Path(f"/proc/{server.pid}").exists()
    triton.start()
    triton.wait_until_live()


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


def test_of_a_set_that_lost_a_process_nothing_is_left_once_another_set_serves(
    triton: TritonProcess, gateway: GatewayProcess, grey_jpeg: bytes
) -> None:
    def living() -> set[int]:
        stubs = [child for child in children_of(triton.server().pid) if child.state != "Z"]
        return {stub.pid for stub in stubs if "tiny-1.0.0_x86-cpu" in " ".join(stub.command)}

    before = living()
    time.sleep(2.0)  # processes are looked at each second: which build a dead one had must be known by then
    os.kill(min(before), signal.SIGKILL)

    def is_renewed() -> bool:
        assert is_answered(gateway, grey_jpeg)
        return len(living()) == len(before) and not before & living()

    wait_for(is_renewed, 30.0, gateway.log)
