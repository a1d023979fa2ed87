"""CPU time of several processes over the measured part of a load."""

import asyncio
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from gateway.load.load_window import LoadWindow
from gateway.load.process_cpu import PROC, ProcessReading, cpu_seconds_by_role, host_busy_seconds, read_tree

OTHER = "everything else"


class CpuMeter:
    """Reads some process trees when the measurement begins and when it ends.

    Args:
        roots: Process id of each tree, by role; a tree's own children may have other roles (``read_tree``).
        clock: Seconds; that of the window.
        proc: Where the kernel's process file system is.
    """

    def __init__(
        self, roots: Mapping[str, int], clock: Callable[[], float] = time.perf_counter, proc: Path = PROC
    ) -> None:
        self._roots = roots
        self._clock = clock
        self._proc = proc

    async def watch(self, window: LoadWindow) -> dict[str, float]:
        """Wait until the window is over; returns CPU seconds by role, and of everything else on this host."""
        await asyncio.sleep(window.begins_at - self._clock())
        before, busy_before = self._read(), host_busy_seconds(self._proc)
        await asyncio.sleep(window.ends_at - self._clock())
        after, busy_after = self._read(), host_busy_seconds(self._proc)
        spent = cpu_seconds_by_role(before, after)
        spent[OTHER] = max(0.0, busy_after - busy_before - sum(spent.values()))
        return spent

    def _read(self) -> tuple[ProcessReading, ...]:
        return tuple(reading for role, pid in self._roots.items() for reading in read_tree(pid, role, self._proc))
