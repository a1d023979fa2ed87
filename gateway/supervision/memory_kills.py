"""Tells a process that the kernel killed for lack of memory from one that somebody killed: the signal is the same."""

import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import Literal

from gateway.control_groups import ControlGroup, control_groups, text_of

Victim = Literal["triton", "worker"]
"""What was killed: Triton or a backend process of its, or a worker process of the gateway."""
_RECENT_SECONDS = 10.0  # a large process takes a while to end
_NO_LIMIT_BYTES = 2**60  # version 1 says the largest multiple of a page
_KILLS_FILES = ("memory.events", "memory.oom_control")
_LIMIT_FILES = ("memory.max", "memory.limit_in_bytes")
_REMEDIES: dict[Victim, tuple[str, str]] = {
    "triton": ("OUTPOST_TRITON_MEMORY", "run fewer instances of each build (--instances; Compose: OUTPOST_INSTANCES)"),
    "worker": ("OUTPOST_GATEWAY_MEMORY", "run fewer workers (--workers; Compose: OUTPOST_WORKERS)"),
}


class MemoryKills:
    """Watches the kernel's count of the processes that it killed in this process's control group.

    The kernel counts them together, whether a limit was reached or the machine's memory was used up. Version 2 of
    control groups also counts how often each group was at its own limit; with version 1 a limit is blamed where it is
    below the machine's memory.

    Args:
        root: Where ``proc`` and ``sys`` are.
        clock: Monotonic seconds.
    """

    def __init__(self, root: Path = Path("/"), clock: Callable[[], float] = time.monotonic) -> None:
        self._root = root
        self._clock = clock
        self._count = killed(root)
        self._at_limit = times_at_limit(root)
        self._at_limit_at: dict[ControlGroup, float] = {}
        self._rose_at = -math.inf
        self._unexplained = 0

    def look(self) -> None:
        """Note whether the counts rose. Where it is done once a second, ``reason`` blames no kill of long ago."""
        count, at_limit = killed(self._root), times_at_limit(self._root)  # a group is at its limit before a kill
        if not self._is_recent(self._rose_at):
            self._unexplained = 0
        if count > self._count:
            self._rose_at = self._clock()
            self._unexplained += count - self._count
        for group, times in at_limit.items():
            if times > self._at_limit.get(group, times):
                self._at_limit_at[group] = self._clock()
        self._count, self._at_limit = count, at_limit

    def reason(self, victim: Victim = "triton") -> str:
        """Why a process that was just found killed was killed, and what to do; empty where it was not for memory.

        Where more processes are found dead than the kernel says it killed, the later ones are said to be *perhaps*
        among them.
        """
        self.look()
        if not self._is_recent(self._rose_at):
            return ""
        said = for_lack_of_memory(self._limit_reached(), machine_bytes(self._root), victim)
        if not self._unexplained:
            return f"perhaps {said}"
        self._unexplained -= 1
        return said

    def _limit_reached(self) -> int | None:
        if self._at_limit:
            recent = (group for group in self._at_limit if self._is_recent(self._at_limit_at.get(group, -math.inf)))
            innermost = next(recent, None)
            return None if innermost is None else _limit_of(innermost)
        limit, machine = limit_bytes(self._root), machine_bytes(self._root)
        return None if limit is None or (machine is not None and limit >= machine) else limit

    def _is_recent(self, at: float) -> bool:
        return self._clock() - at <= _RECENT_SECONDS


def killed(root: Path = Path("/")) -> int:
    """How many processes of this control group the kernel has killed for memory; 0 where it does not count.

    Args:
        root: Where ``proc`` and ``sys`` are.
    """
    for group in control_groups("memory", root):
        for name in _KILLS_FILES:
            if (count := _field(group.text(name), "oom_kill")) is not None:
                return count
    return 0


def times_at_limit(root: Path = Path("/")) -> dict[ControlGroup, int]:
    """How often each group had no memory left under its own limit, innermost first; empty with version 1.

    Args:
        root: Where ``proc`` and ``sys`` are.
    """
    found = {}
    for group in control_groups("memory", root):
        # the other file counts those of the groups below, too
        said = group.text("memory.events.local") or group.text("memory.events")
        if (times := _field(said, "oom")) is not None:
            found[group] = times
    return found


def limit_bytes(root: Path = Path("/")) -> int | None:
    """The tightest limit of this control group and those above it; None where there is none.

    Args:
        root: Where ``proc`` and ``sys`` are.
    """
    limits = (_limit_of(group) for group in control_groups("memory", root))
    return min((limit for limit in limits if limit is not None), default=None)


def machine_bytes(root: Path = Path("/")) -> int | None:
    """The machine's memory; None where it cannot be read.

    Args:
        root: Where ``proc`` and ``sys`` are.
    """
    kilobytes = _field(text_of(root / "proc/meminfo").replace(" kB", ""), "MemTotal:")
    return None if kilobytes is None else kilobytes * 1024


def for_lack_of_memory(limit: int | None, machine: int | None = None, victim: Victim = "triton") -> str:
    """The sentence of an operator's log.

    Args:
        limit: That was reached, in bytes; None: the machine's memory was used up.
        machine: The machine's memory in bytes; None where it is not known.
        victim: What was killed.
    """
    variable, fewer = _REMEDIES[victim]
    if limit is None:
        size = "" if machine is None else f" than {machine} bytes"
        return f"killed for lack of memory: the machine has no more{size}; end what else takes it, or {fewer}"
    return f"killed for lack of memory: the limit is {limit} bytes; raise it (Compose: {variable}), or {fewer}"


def _limit_of(group: ControlGroup) -> int | None:
    said = [group.text(name).strip() for name in _LIMIT_FILES]
    return next((int(text) for text in said if text.isdigit() and int(text) < _NO_LIMIT_BYTES), None)


def _field(text: str, name: str) -> int | None:
    fields = dict(line.split(maxsplit=1) for line in text.splitlines() if " " in line.strip())
    value = fields.get(name, "").strip()
    return int(value) if value.isdigit() else None
