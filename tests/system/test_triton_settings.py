"""What ``outpost-gateway triton`` is told: where it listens, and which models it takes."""

import socket
from pathlib import Path

import httpx
import pytest

from tests.system.gateway_process import GatewayProcess, TritonProcess

pytestmark = pytest.mark.long


def test_metrics_may_listen_where_nothing_loads_a_model(tmp_path: Path, seed_dir: Path) -> None:
    process = TritonProcess(tmp_path / "state", seed_dir, triton_metrics_host="127.0.0.2")
    process.start()
    try:
        process.wait_until_live()
        ports = {name: process.ports[f"triton_{name}"] for name in ("metrics", "http", "grpc")}
        answer = httpx.get(f"http://127.0.0.2:{ports['metrics']}/metrics", trust_env=False)
        assert "nv_cpu_utilization" in answer.text
        assert not is_open("127.0.0.1", ports["metrics"])
        assert not is_open("127.0.0.2", ports["http"])
        assert not is_open("127.0.0.2", ports["grpc"])
    finally:
        process.close()


def test_the_gateway_finds_its_own_triton_at_another_address(tmp_path: Path, seed_dir: Path) -> None:
    process = GatewayProcess(tmp_path / "state", seed_dir, seed_models="tiny", triton_host="127.0.0.2")
    process.start()
    try:
        process.wait_until_ready()
        assert is_open("127.0.0.2", process.ports["triton_grpc"])
        assert not is_open("127.0.0.1", process.ports["triton_grpc"])
    finally:
        process.close()


def is_open(host: str, port: int) -> bool:
    with socket.socket() as asked:
        return asked.connect_ex((host, port)) == 0


def test_models_that_are_not_shipped_are_named_before_triton_starts(tmp_path: Path, seed_dir: Path) -> None:
    process = TritonProcess(tmp_path / "state", seed_dir, seed_models="tiny,cats")
    process.start()
    assert process.process is not None
    assert process.process.wait(30.0) == 2
    said = process.log()
    assert f"outpost-gateway triton: --seed-models names cats, and {seed_dir} has builds of " in said
    assert "tiny" in said.partition("has builds of ")[2]
