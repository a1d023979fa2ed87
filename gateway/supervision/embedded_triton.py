"""The embedded Triton: a child process with its own ports, log and shared memory, that ends with the gateway."""

import asyncio
import contextlib
import ctypes
import os
import secrets
import signal
import time
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from gateway.frame_memory import remove_stale_regions
from gateway.start_errors import TritonDied
from gateway.supervision.child_processes import ChildProcess, children_of
from gateway.supervision.triton_installation import TritonInstallation

_LOG_LIMIT_BYTES = 10 * 2**20
_STUB_MARK = "triton_python_backend_stub"
_PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None)


@dataclass(frozen=True, slots=True)
class TritonPorts:
    """Where it listens."""

    http: int
    grpc: int
    metrics: int
    host: str = "127.0.0.1"
    metrics_host: str = "127.0.0.1"


class EmbeddedTriton:
    """Starts, watches and stops ``tritonserver``.

    Args:
        installation: The parts of the wheel.
        repository: Folder of builds.
        work_folder: Backends and working directory.
        log_file: Where its output goes; kept over restarts, turned over when large. None: where ours goes.
        ports: Where it listens.
        memory_prefix: Beginning of the names of its shared memory; what is left under it is removed at each start.
    """

    def __init__(
        self,
        installation: TritonInstallation,
        repository: Path,
        work_folder: Path,
        log_file: Path | None,
        ports: TritonPorts,
        memory_prefix: str,
    ) -> None:
        self._installation = installation
        self._repository = repository
        self._work_folder = work_folder
        self.log_file = log_file
        self.ports = ports
        self._memory_prefix = memory_prefix
        self.server_id = f"outpost-{secrets.token_hex(8)}"
        self._process: asyncio.subprocess.Process | None = None
        self.started_at = 0.0
        self._memory_flags: tuple[str, ...] | None = None

    @property
    def pid(self) -> int | None:
        """Its process, while it runs."""
        process = self._process
        return process.pid if process is not None and process.returncode is None else None

    @property
    def exit_code(self) -> int | None:
        """How it ended (negative: by that signal), or None while it runs."""
        return None if self._process is None else self._process.returncode

    async def start(self) -> None:
        """Start the process; it takes requests a little later.

        Raises:
            OSError: The backends cannot be written or the server cannot be executed.
            TritonUnusable: The server does not show its flags; at the first start only.
        """
        if self._memory_flags is None:
            self._memory_flags = await asyncio.to_thread(self._installation.shared_memory_flags)
        await self.remove_leftovers()
        backends = self._work_folder / "backends"
        self._installation.build_backends(backends)
        run_folder = self._work_folder / "run"
        run_folder.mkdir(exist_ok=True)
        with contextlib.ExitStack() as files:
            output = None if self.log_file is None else files.enter_context(_opened(self.log_file))
            self._process = await asyncio.create_subprocess_exec(
                str(self._installation.server),
                *self._arguments(backends),
                *self._memory_flags,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                cwd=run_folder,
                env=self._installation.environment(dict(os.environ)),
                preexec_fn=_end_with_parent,
            )
        self.started_at = time.monotonic()

    def require_running(self) -> None:
        """Fail when it ended.

        Raises:
            TritonDied: With the end of its log.
        """
        if self.exit_code is not None:
            raise TritonDied(self.exit_code, self.log_file, "" if self.log_file is None else last_lines(self.log_file))

    async def wait(self) -> int:
        """Wait for its end."""
        if self._process is None:
            raise ValueError("not started")
        return await self._process.wait()

    def stubs(self) -> tuple[ChildProcess, ...]:
        """The backend processes, one per instance, dead ones included."""
        return () if self.pid is None else children_of(self.pid)

    async def stop(self, timeout_seconds: float = 1.0) -> None:
        """End it, by force when it takes longer: it keeps nothing; its backend processes and shared memory go too."""
        if self._process is not None and self._process.returncode is None:
            stubs = self.stubs()
            self._process.terminate()
            try:
                await asyncio.wait_for(self._process.wait(), timeout_seconds)
            except TimeoutError:
                self._process.kill()
                await self._process.wait()
            _kill_all(stubs)
        await self.remove_leftovers()

    async def remove_leftovers(self) -> None:
        """End the backend processes of a server that ended, and remove its shared memory."""
        await self._end_stubs()
        remove_stale_regions(self._memory_prefix)

    async def kill(self) -> None:
        """End it at once."""
        if self._process is not None and self._process.returncode is None:
            self._process.kill()
            await self._process.wait()

    async def _end_stubs(self) -> None:
        """Backend processes of a killed server notice only after a while; a new server must not share with them."""
        _kill_all(orphaned_stubs(self._work_folder / "backends"))
        for _ in range(100):
            if not orphaned_stubs(self._work_folder / "backends"):
                return
            await asyncio.sleep(0.01)

    def _arguments(self, backends: Path) -> tuple[str, ...]:
        address = self.ports.host
        return (
            f"--id={self.server_id}",
            f"--model-repository={self._repository}",
            "--model-control-mode=explicit",
            "--exit-on-error=false",
            "--strict-readiness=false",
            f"--backend-directory={backends}",
            f"--backend-config=python,shm-region-prefix-name={self._memory_prefix}",  # holds for all based on it
            f"--http-address={address}",
            f"--http-port={self.ports.http}",
            f"--grpc-address={address}",
            f"--grpc-port={self.ports.grpc}",
            f"--metrics-address={self.ports.metrics_host}",
            f"--metrics-port={self.ports.metrics}",
            "--exit-timeout-secs=5",
            "--log-warning=true",
        )


def orphaned_stubs(backends: Path) -> tuple[ChildProcess, ...]:
    """Backend processes started from a backend folder, whoever their parent is by now."""
    mark = str(backends)
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                command = (entry / "cmdline").read_bytes().decode(errors="replace").split("\0")
                if _STUB_MARK in command[0] and command[0].startswith(mark):
                    found.append(ChildProcess(int(entry.name), "?", tuple(command)))
    return tuple(found)


def last_lines(path: Path, count: int = 15) -> str:
    """The end of a text file."""
    try:
        return "\n".join(path.read_text(errors="replace").splitlines()[-count:])
    except OSError as error:
        return f"(no log: {error})"


def _opened(log_file: Path) -> BinaryIO:
    if log_file.exists() and log_file.stat().st_size > _LOG_LIMIT_BYTES:
        log_file.replace(log_file.with_suffix(".log.1"))
    return log_file.open("ab")


def _kill_all(processes: tuple[ChildProcess, ...]) -> None:
    for process in processes:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(process.pid, signal.SIGKILL)


def _end_with_parent() -> None:
    _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
