"""The shipped Compose files, run by the real engine under a name and on ports of their own."""

import json
import os
import secrets
import signal
import subprocess
import time
import urllib.request
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import docker
import httpx
import tritonclient.grpc
from docker.models.containers import Container

from gateway.listeners import free_port
from tests.system.containers.steady_load import Detections, detect
from tests.system.gateway_process import wait_for

REPOSITORY = Path(__file__).parents[3]
REGISTRY = "outpost-test"
SERVICES = ("triton", "gateway", "device-agent", "prometheus")
PUBLISHED = ("http", "grpc", "metrics", "prometheus")
_PROJECT_LABEL = "com.docker.compose.project"
_PROMPT_AFTER_SECONDS = 10.5  # what ran for 10 s the engine starts again at once; what did not, later and later


class ComposeProject:
    """Containers, networks and volumes of one ``docker compose up``.

    Args:
        engine: To look at them.
        folder: For the file with the overrides.
        override: Compose YAML that is laid over the shipped file; without one, the shipped file is used as it is.
        variables: Environment variables of Compose.
        shipped: The file; without one, that of the edge.
        laid_over: Another shipped file, which is laid over it.
    """

    def __init__(
        self,
        engine: docker.DockerClient,
        folder: Path,
        variables: dict[str, str],
        override: str = "",
        shipped: str = "",
        laid_over: str = "",
    ) -> None:
        self.engine = engine
        self.name = f"outpost-test-{secrets.token_hex(3)}"
        self.ports = {name: free_port() for name in PUBLISHED}
        self.variables = {f"OUTPOST_{name.upper()}_PORT": str(port) for name, port in self.ports.items()}
        self.variables |= {"OUTPOST_REGISTRY": REGISTRY} | variables
        self._files: list[str] = []
        if override or shipped or laid_over:
            self._files = ["--file", shipped or "compose/edge.yaml", "--project-directory", "."]
        if laid_over:
            self._files += ["--file", laid_over]
        if override:
            file = folder / f"{self.name}.yaml"
            file.write_text(override)
            self._files += ["--file", str(file)]

    def compose(self, *arguments: str, timeout_seconds: float = 600.0) -> subprocess.CompletedProcess[str]:
        """Run ``docker compose`` in the repository; whether it succeeded is the caller's to check."""
        ours = {name: value for name, value in os.environ.items() if not name.startswith(("OUTPOST_", "COMPOSE_"))}
        return subprocess.run(
            ["docker", "compose", "--project-name", self.name, *self._files, *arguments],
            cwd=REPOSITORY,
            env=ours | self.variables,
            capture_output=True,
            text=True,
            timeout=timeout_seconds,
            check=False,
        )

    def up(self, *services: str) -> None:
        done = self.compose("up", "--detach", *services)
        assert done.returncode == 0, f"{done.stderr}\n{self.logs()}"

    def refused_up(self, *services: str) -> str:
        """What ``up`` says where it cannot succeed."""
        done = self.compose("up", "--detach", *services)
        assert done.returncode != 0, done.stderr
        return done.stderr

    def down(self) -> None:
        done = self.compose("down", "--volumes", "--timeout", "5")
        assert done.returncode == 0, done.stderr

    def left_over(self) -> list[str]:
        """Names of what the engine has of this project."""
        mine = {"label": f"{_PROJECT_LABEL}={self.name}"}
        found = [each.name for each in self.engine.containers.list(all=True, filters=mine)]
        found += [each.name for each in self.engine.networks.list(filters=mine)]
        found += [each.name for each in self.engine.volumes.list(filters=mine)]
        return found

    def container(self, service: str) -> Container:
        """The service's container, as it is now."""
        labels = [f"{_PROJECT_LABEL}={self.name}", f"com.docker.compose.service={service}"]
        (found,) = self.engine.containers.list(all=True, filters={"label": labels})
        return found

    def state(self, service: str) -> dict[str, Any]:
        """``State`` of ``docker inspect``."""
        state: dict[str, Any] = self.container(service).attrs["State"]
        return state

    def health(self, service: str) -> str:
        """What the health check found: ``starting``, ``healthy`` or ``unhealthy``."""
        return str(self.state(service)["Health"]["Status"])

    def health_said(self, service: str) -> str:
        """The last words of the health check."""
        looks = self.state(service)["Health"]["Log"]
        return str(looks[-1]["Output"]) if looks else ""

    def wait_until_healthy(self, *services: str, timeout_seconds: float = 60.0) -> float:
        def healthy() -> bool:
            return all(self.health(service) == "healthy" for service in services)

        return wait_for(healthy, timeout_seconds, self.logs)

    def log(self, service: str) -> str:
        text: str = self.container(service).logs(tail=200).decode(errors="replace")
        return text

    def logs(self) -> str:
        """The end of what all of them said."""
        return self.compose("logs", "--no-color", "--tail", "25").stdout[-8000:]

    def run_in(self, service: str, *command: str) -> tuple[int, str]:
        """Exit code and output of a command inside a container."""
        code, output = self.container(service).exec_run(list(command))
        return code, output.decode(errors="replace")

    def fetch_inside(self, service: str, url: str) -> str:
        """What a URL answers to a container; for listeners that are not published."""
        program = "import sys, urllib.request as u; sys.stdout.write(u.urlopen(sys.argv[1], timeout=5).read().decode())"
        code, output = self.run_in(service, "python3", "-c", program, url)
        assert code == 0, output
        return output

    def gateway_status(self) -> dict[str, Any]:
        """What the gateway tells operators."""
        status: dict[str, Any] = json.loads(self.fetch_inside("gateway", "http://127.0.0.1:8010/status"))
        return status

    def kill(self, service: str, timeout_seconds: float = 20.0) -> float:
        """``kill -9`` from outside, which for the engine is a crash, of a container that has run for 10 s.

        Returns:
            When it was killed, in monotonic seconds; the engine has started it again.
        """
        wait_for(lambda: self.ran_seconds(service) > _PROMPT_AFTER_SECONDS, timeout_seconds, self.logs)
        before = self.restarts(service)
        killed_at = time.monotonic()
        os.kill(self.state(service)["Pid"], signal.SIGKILL)
        wait_for(lambda: self.restarts(service) > before, timeout_seconds, self.logs)
        return killed_at

    def ran_seconds(self, service: str) -> float:
        """How long the container runs since its last start."""
        started_at = datetime.fromisoformat(self.state(service)["StartedAt"])
        return (datetime.now(UTC) - started_at).total_seconds()

    def restarts(self, service: str) -> int:
        """How often the engine started a container again."""
        return int(self.container(service).attrs["RestartCount"])

    def volume_folder(self, volume: str) -> Path:
        """Where the machine keeps a volume."""
        return Path(self.engine.volumes.get(f"{self.name}_{volume}").attrs["Mountpoint"])

    def serves(self, *names: str) -> bool:
        """Whether each alias or build is ready, as asked from outside."""
        return all(self.answers(f"/v2/models/{name}/ready") for name in names)

    def answers(self, path: str) -> bool:
        try:
            with urllib.request.urlopen(f"{self.http_url}{path}", timeout=2.0) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False

    def wait_until_serving(self, *names: str, timeout_seconds: float = 60.0) -> float:
        return wait_for(lambda: self.serves(*names), timeout_seconds, self.logs)

    def post(self, path: str, body: bytes) -> httpx.Response:
        return httpx.post(f"{self.http_url}{path}", content=body, trust_env=False, timeout=30)

    def require_detections(self, expected: dict[bytes, Detections]) -> None:
        """Every frame is answered, and right."""
        with tritonclient.grpc.InferenceServerClient(self.grpc_address) as client:
            for frame, detections in expected.items():
                assert detect(tritonclient.grpc, client, "defects", frame) == detections

    @property
    def http_url(self) -> str:
        return f"http://{self.http_address}"

    @property
    def http_address(self) -> str:
        return f"127.0.0.1:{self.ports['http']}"

    @property
    def grpc_address(self) -> str:
        return f"127.0.0.1:{self.ports['grpc']}"

    @property
    def prometheus_url(self) -> str:
        return f"http://127.0.0.1:{self.ports['prometheus']}"
