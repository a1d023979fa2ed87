"""The real Prometheus with the shipped configuration, in a process of its own."""

import json
import re
import shutil
import subprocess
import sys
import urllib.parse
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from gateway.listeners import free_port
from tests.system.gateway_process import GatewayProcess, wait_for

SHIPPED = Path(__file__).parents[2] / "compose" / "prometheus"


class PrometheusProcess:
    """Answers queries."""

    def __init__(self, url: str) -> None:
        self.url = url

    def query(self, expression: str) -> list[dict[str, Any]]:
        query = urllib.parse.urlencode({"query": expression})
        with urllib.request.urlopen(f"{self.url}/api/v1/query?{query}", timeout=10) as answer:
            found: list[dict[str, Any]] = json.load(answer)["data"]["result"]
            return found

    def targets(self) -> list[dict[str, str]]:
        """Labels of each that is scraped."""
        with urllib.request.urlopen(f"{self.url}/api/v1/targets?state=active", timeout=10) as answer:
            return [each["labels"] for each in json.load(answer)["data"]["activeTargets"]]

    def is_ready(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}/-/ready", timeout=2) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False


@contextmanager
def running_agents(*roots: Path) -> Iterator[list[int]]:
    """A device agent for each machine's root folder; gives their ports."""
    ports = [free_port() for _ in roots]
    commands = [
        [sys.executable, "-m", "device_agent", "metrics", "--host-root", str(root), "--metrics-port", str(port)]
        for root, port in zip(roots, ports, strict=True)
    ]
    processes = [subprocess.Popen(command, stderr=subprocess.DEVNULL) for command in commands]
    try:
        yield ports
    finally:
        for process in processes:
            process.terminate()
            process.wait(10)


@contextmanager
def prometheus_watching(
    gateway: GatewayProcess, folder: Path, agents: Sequence[int] = ()
) -> Iterator[PrometheusProcess]:
    """It scrapes twice a second instead of each ten seconds; all else is as shipped. ``agents``: ports on loopback."""
    shutil.copytree(SHIPPED, folder, dirs_exist_ok=True)
    config = folder / "prometheus.yml"
    config.write_text(re.sub(r"_interval: 10s", "_interval: 500ms", config.read_text()))
    for job, port in (("gateway", "metrics"), ("triton", "triton_metrics")):
        (folder / "targets" / f"{job}.yml").write_text(f'- targets: ["127.0.0.1:{gateway.ports[port]}"]\n')
    addresses = [f"127.0.0.1:{port}" for port in agents]
    (folder / "targets" / "device-agent.yml").write_text(f"- targets: {json.dumps(addresses)}\n")
    with running_prometheus(config, folder) as asked:
        wait_for(lambda: len(asked.query("up == 1")) == 2 + len(agents), 60, lambda: str(asked.query("up")))
        yield asked


@contextmanager
def running_prometheus(config: Path, folder: Path) -> Iterator[PrometheusProcess]:
    """It keeps its data and its log in ``folder``."""
    address = f"127.0.0.1:{free_port()}"
    command = [
        "prometheus",
        f"--config.file={config}",
        f"--storage.tsdb.path={folder / 'data'}",
        f"--web.listen-address={address}",
    ]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    asked = PrometheusProcess(f"http://{address}")
    try:
        wait_for(lambda: process.poll() is not None or asked.is_ready(), 60, (folder / "log").read_text)
        assert process.poll() is None, (folder / "log").read_text()
        yield asked
    finally:
        process.terminate()
        process.wait(30)
