"""Tells a process that the kernel killed for lack of memory from one that somebody killed: the signal is the same."""

import math
import time
from collections.abc import Callable
from pathlib import Path

from gateway.control_groups import control_groups

_RECENT_SECONDS = 10.0  # a large process takes a while to end
_NO_LIMIT_BYTES = 2**60  # version 1 says the largest multiple of a page
_KILLS_FILES = ("memory.events", "memory.oom_control")
_LIMIT_FILES = ("memory.max", "memory.limit_in_bytes")


class MemoryKills:
    """Watches the kernel's count of the processes that it killed in this process's control group.

    Args:
        root: Where ``proc`` and ``sys`` are.
        clock: Monotonic seconds.
    """

    def __init__(self, root: Path = Path("/"), clock: Callable[[], float] = time.monotonic) -> None:
        self._root = root
        self._clock = clock
        self._count = killed(root)
        self._rose_at = -math.inf

    def look(self) -> None:
        """Note whether the count rose. Where it is done once a second, ``reason`` blames no kill of long ago."""
        count = killed(self._root)
        if count > self._count:
            self._rose_at = self._clock()
        self._count = count

    def reason(self) -> str:
        """Why a process that was just found killed was killed, and what to do; empty where it was not for memory."""
        self.look()
        recent = self._clock() - self._rose_at <= _RECENT_SECONDS
        return for_lack_of_memory(limit_bytes(self._root)) if recent else ""


def killed(root: Path = Path("/")) -> int:
    """How many processes of this control group the kernel has killed for memory; 0 where it does not count.

    Args:
        root: Where ``proc`` and ``sys`` are.
    """
    for group in control_groups("memory", root):
        for name in _KILLS_FILES:
            fields = dict(line.split(" ", 1) for line in group.text(name).splitlines() if " " in line)
            if (count := fields.get("oom_kill", "").strip()).isdigit():
                return int(count)
    return 0


def limit_bytes(root: Path = Path("/")) -> int | None:
    """The tightest limit of this control group and those above it; None where there is none.

    Args:
        root: Where ``proc`` and ``sys`` are.
    """
    said = [group.text(name).strip() for group in control_groups("memory", root) for name in _LIMIT_FILES]
    limits = [int(text) for text in said if text.isdigit() and int(text) < _NO_LIMIT_BYTES]
    return min(limits, default=None)


def for_lack_of_memory(limit: int | None) -> str:
    """The sentence of an operator's log.

    Args:
        limit: In bytes; None: the machine's memory is the limit.
    """
    fewer = "run fewer instances of each build (--instances; Compose: OUTPOST_INSTANCES)"
    if limit is None:
        return f"killed for lack of memory: the machine has no more; end what else takes it, or {fewer}"
    return (
        f"killed for lack of memory: the limit is {limit} bytes; raise it (Compose: OUTPOST_TRITON_MEMORY), or {fewer}"
    )
