"""The real ``outpost-gateway serve`` with its Triton, on a state folder of its own, for as long as it is needed."""

import contextlib
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil

from contracts.active_models import ActiveModel, ActiveModels
from model_compiler.evaluation.candidate import Candidate
from model_compiler.evaluation.errors import GatewayFailed, GatewayNotInstalled
from model_compiler.evaluation.process_usage import process_tree
from model_compiler.packaging.build_directory import write_build, write_file
from model_compiler.parent_death import ending_with_parent

COMMAND = "outpost-gateway"
_PREFIX = "OUTPOST_GATEWAY_"
_START_SECONDS, _LOAD_SECONDS, _STOP_SECONDS = 120.0, 600.0, 30.0
_POLL_SECONDS = 0.05
_TAIL_CHARACTERS = 3000
_SHARED_MEMORY = "/dev/shm/"  # noqa: S108 - only compared with
_PORTS = ("HTTP", "GRPC", "METRICS", "ADMIN", "TRITON_HTTP", "TRITON_GRPC", "TRITON_METRICS")


class GatewayProcess:
    """A running gateway to which builds are added one by one.

    Args:
        process: Of the command.
        ports: By setting.
        state: Its state folder.
        log: Its output.
    """

    def __init__(self, process: "subprocess.Popen[bytes]", ports: dict[str, int], state: Path, log: Path) -> None:
        self._process = process
        self._ports = ports
        self._state = state
        self._log = log
        self._models: dict[str, ActiveModel] = {}

    @property
    def address(self) -> str:
        """``host:port`` of its HTTP listener."""
        return f"127.0.0.1:{self._ports['HTTP']}"

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    def wait_until_up(self) -> None:
        """Wait until its Triton takes models.

        Raises:
            GatewayFailed: It ended, or takes too long.
        """
        self._wait(lambda: bool(self._status().get("triton", {}).get("up")), _START_SECONDS, "Triton to come up")

    def load(self, candidate: Candidate) -> float:
        """Install a build and make it answer under its candidate's name.

        Returns:
            Seconds from the load request to Triton until the build was loaded and warm, as the gateway logs it.

        Raises:
            GatewayFailed: It does not load, with the reason.
            BuildExists: A candidate before it has the same build name.
        """
        build = candidate.card.build
        write_build(build, candidate.files, self._state / "repository")
        self._models[candidate.name] = ActiveModel(stable=build)
        _write_active(self._state, ActiveModels(models=self._models))
        self._wait(lambda: self._is_ready(candidate.name, build), _LOAD_SECONDS, f"{candidate.name} to be loaded")
        return self._logged_load_seconds(build)

    @property
    def runs(self) -> bool:
        """Whether the process is there."""
        return self._process.poll() is None

    def drop(self, name: str) -> None:
        """Take out the build of a candidate, so that loading it is not tried again, and wait for the others.

        Raises:
            GatewayFailed: It ended, or its Triton does not come up again.
        """
        if self._models.pop(name, None) is not None:
            _write_active(self._state, ActiveModels(models=self._models))
        self.wait_until_up()
        # it may have taken Triton with it, which loads the others again; one that stays away fails by itself
        with contextlib.suppress(GatewayFailed):
            self._wait(lambda: all(map(self._answers, self._models)), _START_SECONDS, "the other builds")

    def failure(self, problem: str) -> GatewayFailed:
        """An error with the end of the log."""
        return GatewayFailed(problem, self._log.read_text(errors="replace")[-_TAIL_CHARACTERS:])

    def _is_ready(self, name: str, build: str) -> bool:
        found = self._status().get("builds", {}).get(build, {})
        if not found.get("ready") and found.get("reason"):
            raise self.failure(f"{name}: {found['reason']}")
        return self._answers(name)

    def _answers(self, name: str) -> bool:
        try:
            with urllib.request.urlopen(f"http://{self.address}/v2/models/{name}/ready", timeout=2.0) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False

    def _status(self) -> dict[str, Any]:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self._ports['ADMIN']}/status", timeout=5.0) as answer:
                status: dict[str, Any] = json.load(answer)
                return status
        except (OSError, ValueError):
            return {}

    def _logged_load_seconds(self, build: str) -> float:
        for line in reversed(self._log.read_text(errors="replace").splitlines()):
            with contextlib.suppress(ValueError):
                record = json.loads(line)
                if isinstance(record, dict) and record.get("message") == "build loaded" and record["build"] == build:
                    return float(record["seconds"])
        raise self.failure(f"{build} was loaded, but the log does not say how long it took")

    def _wait(self, condition: Callable[[], bool], limit_seconds: float, what: str) -> None:
        until = time.monotonic() + limit_seconds
        while not condition():
            if self._process.poll() is not None:
                raise self.failure(f"it ended with code {self._process.returncode} while waiting for {what}")
            if time.monotonic() > until:
                raise self.failure(f"waited {limit_seconds:g} s for {what}")
            time.sleep(_POLL_SECONDS)


@contextlib.contextmanager
def running_gateway(command: Path | None = None, *, hardware_class: str | None = None) -> Iterator[GatewayProcess]:
    """Run ``outpost-gateway serve`` with its embedded Triton on free ports, without builds, until the block ends.

    Whatever happens, its processes, its folder and its shared memory are gone afterwards.

    Args:
        command: The gateway's command; by default the one beside this Python, or on PATH.
        hardware_class: What the machine is declared to be, so that builds of another class load; by default it is told
            by the machine.

    Raises:
        GatewayNotInstalled: There is no such command.
        GatewayFailed: It does not start.
    """
    program = command or find_command(Path(sys.executable).parent, os.environ.get("PATH", ""))
    with tempfile.TemporaryDirectory(prefix="outpost-evaluation-") as folder:
        state, log = Path(folder, "state"), Path(folder, "gateway.log")
        ports = dict(zip(_PORTS, _free_ports(len(_PORTS)), strict=True))
        _write_active(state, ActiveModels())
        process = _start(program, _environment(state, ports, hardware_class), log)
        try:
            gateway = GatewayProcess(process, ports, state, log)
            gateway.wait_until_up()
            yield gateway
        finally:
            _stop(process)


def find_command(beside: Path, search_path: str) -> Path:
    """The gateway's command: in a folder, else on a search path.

    Raises:
        GatewayNotInstalled: It is in neither.
    """
    found = shutil.which(COMMAND, path=f"{beside}{os.pathsep}{search_path}")
    if found is None:
        raise GatewayNotInstalled(COMMAND, beside)
    return Path(found)


def _environment(state: Path, ports: dict[str, int], hardware_class: str | None) -> dict[str, str]:
    settings = {f"{name}_PORT": str(port) for name, port in ports.items()}
    # probes are inferences, and would be measured, too
    settings |= {"STATE_DIR": str(state), "SEED_DIR": str(state / "none"), "PROBE_SECONDS": "0"}
    if hardware_class is not None:
        settings["HARDWARE_CLASS"] = hardware_class
    # an operator's own settings of the gateway must not change what is measured
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(_PREFIX)}
    return inherited | {f"{_PREFIX}{name}": value for name, value in settings.items()}


def _start(program: Path, environment: dict[str, str], log: Path) -> "subprocess.Popen[bytes]":
    with log.open("wb") as output:
        # in a session of its own, so that Ctrl-C reaches it through `_stop` and not twice
        return subprocess.Popen(
            ending_with_parent([str(program), "serve"]),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=environment,
            start_new_session=True,
        )


def _stop(process: "subprocess.Popen[bytes]") -> None:
    """End it politely; what is left of it by force, with the shared memory that it then cannot remove itself."""
    tree = process_tree(process.pid)
    regions = {path for each in tree for path in _shared_memory_of(each)}
    process.terminate()
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(_STOP_SECONDS)
    for each in tree:
        with contextlib.suppress(psutil.Error):
            each.kill()
    process.wait()
    for region in regions:
        region.unlink(missing_ok=True)


def _shared_memory_of(process: psutil.Process) -> Iterator[Path]:
    with contextlib.suppress(psutil.Error):
        for region in process.memory_maps():
            if region.path.startswith(_SHARED_MEMORY):
                yield Path(region.path)


def _write_active(state: Path, active: ActiveModels) -> None:
    write_file(state / "active.json", active.model_dump_json(exclude_none=True).encode())


def _free_ports(count: int) -> list[int]:
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]
