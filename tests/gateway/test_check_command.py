"""``check`` on a machine where no gateway runs."""

import socket
from dataclasses import asdict
from pathlib import Path

import pytest

from gateway.commands import check
from gateway.listeners import free_port
from gateway.settings import Settings
from gateway.workers.handle import WorkerStatus

PORTS = tuple(Settings().port_addresses)


def settings_for(tmp_path: Path, *builds: str, **settings: str) -> Settings:
    for build in builds:
        (tmp_path / "seed" / build).mkdir(parents=True)
        (tmp_path / "seed" / build / "config.pbtxt").touch()
    ports = {name: free_port() for name in PORTS}
    folders = {"seed_dir": tmp_path / "seed", "state_dir": tmp_path / "state"}
    return Settings.model_validate({**folders, **ports, **settings})


def test_the_class_is_named_with_its_reason(tmp_path: Path) -> None:
    machine = check.look_at_machine(
        settings_for(tmp_path, hardware_class="medical-cart-cpu", accepted_classes="arm-cpu")
    )
    assert machine["hardware_class"].startswith("medical-cart-cpu: the operator declared it")
    assert "arm-cpu" in machine["hardware_class"].partition("; loads builds for ")[2]
    elsewhere = check.look_at_machine(settings_for(tmp_path, triton="grpc://127.0.0.1:1"))
    assert elsewhere["hardware_class"].startswith("not known")


def test_a_port_is_tried_at_the_address_that_it_is_opened_at(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.2", 0))
        taken.listen()
        port = taken.getsockname()[1]
        settings = settings_for(tmp_path, triton_host="127.0.0.2").model_copy(update={"triton_metrics_port": port})
        elsewhere = settings.model_copy(update={"triton_metrics_host": "127.0.0.1"})
        ports, ports_elsewhere = (check.look_at_machine(each)["ports"] for each in (settings, elsewhere))
    assert ports["triton_metrics_port"].startswith("problem: ")
    assert f"127.0.0.2:{port}" in ports["triton_metrics_port"]
    assert ports_elsewhere["triton_metrics_port"] == f"ok: {port} is free"


@pytest.mark.parametrize(("accepted", "problems"), [("", 1), ("my-riscv", 0)])
def test_builds_that_would_all_be_refused_are_a_problem(tmp_path: Path, accepted: str, problems: int) -> None:
    settings = settings_for(tmp_path, "defects-1.0.0_my-riscv", accepted_classes=accepted)
    machine = check.look_at_machine(settings)
    found = check.machine_problems(machine)
    assert len(found) == problems
    assert len(machine["refused_builds"]) == problems
    if problems:
        assert found[0].startswith(
            "build defects-1.0.0_my-riscv is refused: it is built for my-riscv, and this machine"
        )


def test_one_build_for_another_machine_is_no_problem(tmp_path: Path) -> None:
    settings = settings_for(tmp_path, "defects-1.0.0_here", "defects-1.0.0_elsewhere", hardware_class="here")
    machine = check.look_at_machine(settings)
    assert list(machine["refused_builds"]) == ["defects-1.0.0_elsewhere"]
    assert check.machine_problems(machine) == []


def test_the_path_of_preprocessing_is_told_and_one_that_cannot_be_is_a_problem(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NUMBA_ENABLE_CUDASIM", "0")
    by_setting = check.look_at_machine(settings_for(tmp_path, preprocess="cpu"))
    assert by_setting["preprocessing"] == "cpu: the setting preprocess says so"
    settings = settings_for(tmp_path, "defects-1.0.0_here", hardware_class="here", preprocess="cuda")
    machine = check.look_at_machine(settings.model_copy(update={"cuda_device": 99}))
    (problem,) = check.machine_problems(machine)
    assert problem.startswith("frames cannot be prepared on the GPU: there is no ")


@pytest.mark.parametrize(("others", "remedy"), [(0, "restart the gateway"), (1, "another process will try")])
def test_a_gpu_that_was_lost_is_degraded(others: int, remedy: str) -> None:
    worker = {"pid": 7, "shared_memory": True, "device_lost": True, "preprocessing_reason": "the GPU was lost: Xid 79"}
    status = {
        "triton": {"up": True},
        "active_file": {"problem": ""},
        "builds": {},
        "cascades": {},
        "models": {},
        "workers": [worker] + others * [worker | {"pid": 8, "device_lost": False}],
    }
    (problem,) = check.status_problems(status)
    assert problem.startswith(f"worker 7: the CPU prepares frames: the GPU was lost: Xid 79; {remedy}")


def test_how_tensors_travel_is_shown_with_the_reasons() -> None:
    reasons = {"cuda_shared_memory": "Triton cannot open it: invalid args"}
    worker = WorkerStatus(7, True, "", "system_shared_memory", reasons)
    shown = check._cell([asdict(worker)])
    assert "transport system_shared_memory" in shown
    assert "transport_reasons cuda_shared_memory Triton cannot open it: invalid args" in shown
