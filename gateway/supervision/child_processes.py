"""The processes below a process, as /proc tells."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

_PROC = Path("/proc")


@dataclass(frozen=True, slots=True)
class ChildProcess:
    """One process. ``state`` is the letter of proc(5): R, S, D, T (stopped), Z (dead, not yet collected)."""

    pid: int
    state: str
    command: tuple[str, ...]


def children_of(pid: int) -> tuple[ChildProcess, ...]:
    """The direct children of a process; empty when it is gone."""
    found: list[int] = []
    for task in (_PROC / str(pid) / "task").glob("*/children"):
        try:
            found.extend(int(child) for child in task.read_text().split())
        except OSError:
            continue
    return processes(found)


def _read(pid: int) -> ChildProcess | None:
    try:
        stat = (_PROC / str(pid) / "stat").read_text()
        command = (_PROC / str(pid) / "cmdline").read_bytes()
    except OSError:
        return None
    state = stat.rpartition(")")[2].split()[0]
    return ChildProcess(pid, state, tuple(part.decode(errors="replace") for part in command.split(b"\0") if part))


def processes(pids: Iterable[int]) -> tuple[ChildProcess, ...]:
    """Those of some processes that exist."""
    return tuple(process for process in map(_read, pids) if process is not None)
