"""What keeps a gateway from starting is said in one sentence, with exit code 2."""

import os
import resource
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from gateway.listeners import free_port
from tests.system.gateway_process import GatewayProcess


def serve(state_dir: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    free = [f"--{name}-port=0" for name in ("http", "grpc", "metrics", "admin")]
    free += [f"--triton-{name}-port=0" for name in ("http", "grpc", "metrics")]
    return subprocess.run(
        [sys.executable, "-m", "gateway", "serve", f"--state-dir={state_dir}", *free, *arguments],
        env=dict(os.environ) | environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.mark.parametrize("name", ["http", "grpc", "metrics", "admin", "triton-grpc"])
def test_a_taken_port_is_named(tmp_path: Path, name: str) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        ended = serve(tmp_path, f"--{name}-port={port}")
    assert ended.returncode == 2
    assert f"127.0.0.1:{port}" in ended.stderr
    assert f"--{name}-port" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_a_second_gateway_on_the_same_state_is_refused(gateway: GatewayProcess) -> None:
    ended = serve(gateway.state_dir)
    assert ended.returncode == 2
    assert "another gateway uses the state folder" in ended.stderr
    assert gateway.is_ready()


def test_a_state_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    ended = serve(tmp_path / "file" / "state")
    assert ended.returncode == 2
    assert "cannot be used" in ended.stderr


def test_models_that_are_not_shipped_are_named(tmp_path: Path, seed_dir: Path) -> None:
    ended = serve(tmp_path, f"--seed-dir={seed_dir}", "--seed-models=cats")
    assert ended.returncode == 2
    assert f"--seed-models names cats, and {seed_dir} has builds of" in ended.stderr


def test_a_gpu_that_is_asked_for_and_missing(tmp_path: Path, seed_dir: Path) -> None:
    ended = serve(tmp_path, f"--seed-dir={seed_dir}", "--preprocess=cuda", "--cuda-device=99", NUMBA_ENABLE_CUDASIM="0")
    assert ended.returncode == 2
    assert "frames cannot be prepared on the GPU: there is no " in ended.stderr
    assert "Traceback" not in ended.stderr


def test_a_disk_without_room_leaves_nothing_half_written(tmp_path: Path, seed_dir: Path) -> None:
    def one_kilobyte_for_each_file() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))

    (tmp_path / "seed").mkdir()
    shutil.copytree(seed_dir / "tiny-1.0.0_x86-cpu", tmp_path / "seed" / "tiny-1.0.0_x86-cpu")
    ended = subprocess.run(
        [
            sys.executable,
            "-m",
            "gateway",
            "serve",
            f"--state-dir={tmp_path / 'state'}",
            f"--seed-dir={tmp_path / 'seed'}",
        ],
        preexec_fn=one_kilobyte_for_each_file,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.returncode == 2
    assert "cannot be used" in ended.stderr
    assert list((tmp_path / "state" / "repository").iterdir()) == []
    assert list((tmp_path / "state" / "triton").iterdir()) == []
    assert not (tmp_path / "state" / "active.json").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--triton=http://somewhere"], "grpc://host:port"),
        (["--http-port=70000"], "--http-port (OUTPOST_GATEWAY_HTTP_PORT)"),
        (["--workers=none"], "--workers"),
        (["--tls-key=server.key"], "tls_certificate and tls_key go together"),
        (["--token-file=/no/such/file"], "--token-file /no/such/file cannot be used: No such file"),
        (["--tls-certificate=/no/c", "--tls-key=/no/k", "--workers=2"], "--tls-certificate /no/c cannot be used"),
    ],
)
def test_settings_are_named_as_they_are_given(tmp_path: Path, arguments: list[str], message: str) -> None:
    ended = serve(tmp_path, *arguments)
    assert ended.returncode == 2
    assert message in ended.stderr


def test_a_triton_that_is_not_there_is_waited_for(tmp_path: Path) -> None:
    process = GatewayProcess(tmp_path / "state", tmp_path, triton=f"grpc://127.0.0.1:{free_port()}")
    process.start()
    try:
        process.wait_until_live()
        assert not process.is_ready()
        assert process.status()["triton"]["up"] is False
        assert process.stop() == 0
    finally:
        process.close()


def check(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "gateway", "check", *arguments], capture_output=True, text=True, timeout=60, check=False
    )


def test_check_of_a_running_gateway_says_which_paths_were_chosen(gateway: GatewayProcess) -> None:
    ended = check(f"--admin-port={gateway.ports['admin']}", "--json")
    assert ended.returncode == 0, ended.stdout
    assert '"shared_memory": true' in ended.stdout
    assert '"version": "2.51.0"' in ended.stdout
    assert "the most images/s" in ended.stdout
    assert "ONNX Runtime has no bf16" in ended.stdout


def test_check_without_a_gateway_looks_at_the_machine(tmp_path: Path) -> None:
    ended = check(f"--admin-port={free_port()}", f"--seed-dir={tmp_path}")
    assert ended.returncode == 1
    assert "No gateway answers" in ended.stdout
    assert "no builds to start with" in " ".join(ended.stdout.split())
