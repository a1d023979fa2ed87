"""CPU time and memory of a process and its descendants, read from ``/proc``."""

import os
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

PROC = Path("/proc")
TRITON = "tritonserver"
BACKEND = "backend"
_STUB_MARK = "triton_python_backend_stub"


@dataclass(frozen=True, slots=True)
class ProcessReading:
    """One process at one moment; ``role`` groups processes that are reported together."""

    pid: int
    role: str
    cpu_seconds: float
    rss_bytes: int


def read_tree(root_pid: int, role: str, proc: Path = PROC) -> tuple[ProcessReading, ...]:
    """Read a process and all its descendants.

    Triton and the processes of its Python backends get roles of their own; the others have the root's.

    Args:
        root_pid: Process id.
        role: Role of the root.
        proc: Where the kernel's process file system is.

    Returns:
        Nothing where the process is gone.
    """
    readings = (_read_process(pid, role, proc) for pid in descendants(root_pid, proc))
    return tuple(reading for reading in readings if reading is not None)


def descendants(root_pid: int, proc: Path = PROC) -> tuple[int, ...]:
    """The root and everything below it."""
    children = defaultdict(list)
    for entry in proc.iterdir():
        if entry.name.isdecimal() and (fields := _stat_fields(int(entry.name), proc)) is not None:
            children[int(fields[1])].append(int(entry.name))
    found, waiting = [], [root_pid]
    while waiting:
        pid = waiting.pop()
        found.append(pid)
        waiting.extend(children[pid])
    return tuple(found)


def cpu_seconds_by_role(before: Iterable[ProcessReading], after: Iterable[ProcessReading]) -> dict[str, float]:
    """CPU time that each role spent between two readings; a process that is new counts from its start."""
    earlier = {reading.pid: reading.cpu_seconds for reading in before}
    spent: dict[str, float] = defaultdict(float)
    for reading in after:
        spent[reading.role] += reading.cpu_seconds - earlier.get(reading.pid, 0.0)
    return dict(spent)


def rss_bytes_by_role(readings: Iterable[ProcessReading]) -> dict[str, int]:
    """Resident memory of each role, shared pages counted in every process that has them."""
    resident: dict[str, int] = defaultdict(int)
    for reading in readings:
        resident[reading.role] += reading.rss_bytes
    return dict(resident)


def cpu_ms_per_image(cpu_seconds: Mapping[str, float], images: int) -> dict[str, float]:
    """Milliseconds of CPU that each role spends on one image; nothing where there were none."""
    return {role: seconds * 1e3 / images for role, seconds in cpu_seconds.items()} if images else {}


def host_busy_seconds(proc: Path = PROC) -> float:
    """CPU time that everything on this host together has used, interrupts included."""
    fields = [int(field) for field in (proc / "stat").read_text().splitlines()[0].split()[1:9]]
    user, nice, system, _idle, _iowait, irq, softirq, _steal = fields
    return (user + nice + system + irq + softirq) / os.sysconf("SC_CLK_TCK")


def command_line(pid: int, proc: Path = PROC) -> str:
    """The command of a process, arguments separated by spaces; empty where it is gone or not ours to read."""
    try:
        return (proc / str(pid) / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
    except OSError:
        return ""


def parent_of(pid: int, proc: Path = PROC) -> int | None:
    """The parent's process id; None where the process is gone."""
    fields = _stat_fields(pid, proc)
    return int(fields[1]) if fields is not None else None


def _read_process(pid: int, role: str, proc: Path) -> ProcessReading | None:
    fields = _stat_fields(pid, proc)
    if fields is None:
        return None
    ticks = int(fields[11]) + int(fields[12])
    resident_pages = int(fields[21])
    return ProcessReading(
        pid,
        _role_of(command_line(pid, proc), role),
        ticks / os.sysconf("SC_CLK_TCK"),
        resident_pages * os.sysconf("SC_PAGE_SIZE"),
    )


def _role_of(command: str, role: str) -> str:
    program = command.partition(" ")[0]
    if _STUB_MARK in program:
        return BACKEND
    return TRITON if Path(program).name == TRITON else role


def _stat_fields(pid: int, proc: Path) -> list[str] | None:
    """Fields of proc(5) ``stat`` from the third on (state): the second, the name, may hold spaces and parentheses."""
    try:
        return (proc / str(pid) / "stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
