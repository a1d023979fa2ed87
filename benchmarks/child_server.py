"""A server in processes of its own, none of which outlives the benchmark."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from gateway.load.process_cpu import PROC, descendants

_STOP_SECONDS = 40.0
_LOG_TAIL_CHARACTERS = 2000


class ServerFailed(Exception):
    """A server did not get ready."""

    def __init__(self, name: str, reason: str, log: Path) -> None:
        tail = log.read_text(errors="replace")[-_LOG_TAIL_CHARACTERS:] if log.exists() else ""
        super().__init__(f"{name} did not get ready: {reason}; the end of its log:\n{tail}")


@contextlib.contextmanager
def child_server(
    name: str,
    arguments: Sequence[str],
    *,
    ready_url: str,
    log: Path,
    environment: Mapping[str, str] | None = None,
    timeout_seconds: float = 120.0,
) -> Iterator[int]:
    """Run ``python -m <arguments>``; gives the process id once ``ready_url`` answers 200.

    Whatever happens, the process, its group and its descendants are gone afterwards.

    Raises:
        ServerFailed: It ended, or is not ready in time.
    """
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", *arguments],
            stdout=output,
            stderr=subprocess.STDOUT,
            env={**os.environ, **(environment or {})},
            start_new_session=True,
        )
        try:
            _wait_until_ready(name, process, ready_url, log, timeout_seconds)
            yield process.pid
        finally:
            stop_tree(process)


def stop_tree(process: "subprocess.Popen[bytes]") -> None:
    """End a process politely, then its group and everything that it started."""
    started = descendants(process.pid) if process.poll() is None else ()
    if process.poll() is None:
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(_STOP_SECONDS)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    for pid in started[1:]:
        if (PROC / str(pid)).exists():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
    process.wait()


def free_ports(count: int) -> list[int]:
    """Ports of the loopback that nobody listens on now."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]


def _wait_until_ready(
    name: str, process: "subprocess.Popen[bytes]", ready_url: str, log: Path, timeout_seconds: float
) -> None:
    until = time.monotonic() + timeout_seconds
    while time.monotonic() < until:
        if process.poll() is not None:
            raise ServerFailed(name, f"it ended with code {process.returncode}", log)
        with (
            contextlib.suppress(OSError, urllib.error.HTTPError),
            urllib.request.urlopen(ready_url, timeout=2) as answer,
        ):
            if answer.status == 200:
                return
        time.sleep(0.1)
    raise ServerFailed(name, f"no 200 from {ready_url} in {timeout_seconds:g} s", log)
