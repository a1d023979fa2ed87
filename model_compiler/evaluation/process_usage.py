"""What processes use: CPU time of a tree, and peak memory of those that run one model."""

import contextlib
from pathlib import Path

import psutil

_PROC = Path("/proc")
_PEAK = "VmHWM:"


def process_tree(pid: int) -> list[psutil.Process]:
    """A process and everything below it; empty where it is gone."""
    try:
        root = psutil.Process(pid)
        return [root, *root.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def cpu_seconds_of_tree(pid: int) -> float:
    """CPU time of a process and everything below it since they began, over all cores; 0 where it is gone."""
    total = 0.0
    for process in process_tree(pid):
        with contextlib.suppress(psutil.Error):
            times = process.cpu_times()
            total += times.user + times.system
    return total


def peak_memory_of_model(pid: int, build: str) -> int | None:
    """Highest resident memory so far of the backend processes below ``pid`` that run a build, summed.

    Each process counts what it shares with others, so the sum is an upper bound. None where none runs it.
    """
    peaks = [
        _peak_bytes(process.pid)
        for process in process_tree(pid)
        if any(f"/{build}/" in part for part in _command(process))
    ]
    known = [peak for peak in peaks if peak]
    return sum(known) if known else None


def _command(process: psutil.Process) -> list[str]:
    try:
        return list(process.cmdline())
    except psutil.Error:
        return []


def _peak_bytes(pid: int) -> int:
    """``VmHWM`` of proc(5), which psutil does not have."""
    with contextlib.suppress(OSError):
        for line in (_PROC / str(pid) / "status").read_text().splitlines():
            if line.startswith(_PEAK):
                return int(line.split()[1]) * 1024
    return 0
