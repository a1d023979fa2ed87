"""The real command ``outpost-gateway serve`` (or ``triton``) with the real Triton, in a process of its own."""

import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

from gateway.frame_memory import remove_stale_regions
from gateway.listeners import free_port
from gateway.supervision.child_processes import ChildProcess, children_of
from gateway.supervision.state_folder import StateFolder

PORTS = ("http", "grpc", "metrics", "admin", "triton_http", "triton_grpc", "triton_metrics")


class GatewayProcess:
    verb = "serve"

    def __init__(self, state_dir: Path, seed_dir: Path, **settings: object) -> None:
        self.state_dir = state_dir
        self.ports = {name: free_port() for name in PORTS}
        self.log_file = state_dir.parent / f"{state_dir.name}.{self.verb}.log"
        # the small builds carry one class and run on every CPU
        self._values = {"state_dir": state_dir, "seed_dir": seed_dir, "accepted_classes": "x86-cpu", **settings}
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        values = self._values | {f"{name}_port": port for name, port in self.ports.items()}
        environment = dict(os.environ) | {f"OUTPOST_GATEWAY_{name.upper()}": str(each) for name, each in values.items()}
        with self.log_file.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "gateway", self.verb], env=environment, stdout=log, stderr=log
            )

    def wait_until_ready(self, timeout_seconds: float = 120.0) -> None:
        wait_for(lambda: self.exited() or self.is_ready(), timeout_seconds, self.log)
        assert not self.exited(), self.log()

    def wait_until_serving(self, *names: str, timeout_seconds: float = 120.0) -> None:
        """Wait until each alias or build is ready."""

        def serving() -> bool:
            return self.exited() or all(self.answers(f"/v2/models/{name}/ready") for name in names)

        wait_for(serving, timeout_seconds, self.log)
        assert not self.exited(), self.log()

    def wait_until_live(self, timeout_seconds: float = 60.0) -> None:
        wait_for(lambda: self.exited() or self.answers("/v2/health/live"), timeout_seconds, self.log)
        assert not self.exited(), self.log()

    def exited(self) -> bool:
        return self.process is not None and self.process.poll() is not None

    def is_ready(self) -> bool:
        return self.answers("/v2/health/ready")

    def answers(self, path: str, port: str = "http") -> bool:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.ports[port]}{path}", timeout=2.0) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False

    def stop(self) -> int:
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(30.0)

    def close(self) -> None:
        """Leave nothing behind, whatever the test did."""
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(30.0)
            except subprocess.TimeoutExpired:
                self.kill()
        remove_stale_regions(f"outpost_{StateFolder(self.state_dir).key}_")

    def kill(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()

    @property
    def http_url(self) -> str:
        return f"http://127.0.0.1:{self.ports['http']}"

    @property
    def grpc_address(self) -> str:
        return f"127.0.0.1:{self.ports['grpc']}"

    @property
    def http_address(self) -> str:
        return f"127.0.0.1:{self.ports['http']}"

    @property
    def triton_address(self) -> str:
        return f"127.0.0.1:{self.ports['triton_grpc']}"

    def log(self) -> str:
        return self.log_file.read_text(errors="replace")[-6000:]

    def status(self) -> dict[str, Any]:
        with urllib.request.urlopen(f"http://127.0.0.1:{self.ports['admin']}/status", timeout=5.0) as answer:
            status: dict[str, Any] = json.load(answer)
            return status

    def metrics(self) -> str:
        with urllib.request.urlopen(f"http://127.0.0.1:{self.ports['metrics']}/metrics", timeout=5.0) as answer:
            text: str = answer.read().decode()
            return text

    def metric(self, name: str, **labels: str) -> float:
        """The sum of the samples with these labels."""
        from prometheus_client.parser import text_string_to_metric_families

        return sum(
            sample.value
            for family in text_string_to_metric_families(self.metrics())
            for sample in family.samples
            if sample.name == name and labels.items() <= sample.labels.items()
        )

    def triton(self) -> ChildProcess:
        assert self.process is not None
        return next(child for child in children_of(self.process.pid) if "tritonserver" in " ".join(child.command))

    def stubs(self) -> list[ChildProcess]:
        return [child for child in children_of(self.triton().pid) if "stub" in " ".join(child.command)]


def wait_for(condition: Callable[[], bool], timeout_seconds: float, explain: Callable[[], str] = str) -> float:
    """Wait until a condition holds; returns the seconds that it took."""
    began_at = time.monotonic()
    while not condition():
        if time.monotonic() - began_at > timeout_seconds:
            raise AssertionError(f"not within {timeout_seconds} s: {explain()}")
        time.sleep(0.02)
    return time.monotonic() - began_at


class TritonProcess(GatewayProcess):
    """``outpost-gateway triton``: of the ports only Triton's are listened at."""

    verb = "triton"

    def wait_until_live(self, timeout_seconds: float = 60.0) -> None:
        wait_for(lambda: self.exited() or self.triton_is_live(), timeout_seconds, self.log)
        assert not self.exited(), self.log()

    def triton_is_live(self) -> bool:
        return self.answers("/v2/health/live", "triton_http")

    def server(self) -> ChildProcess:
        assert self.process is not None
        return next(child for child in children_of(self.process.pid) if "tritonserver" in child.command[0])
