"""How many cores this process may use."""

import os
from collections.abc import Iterator
from math import ceil
from pathlib import Path, PurePosixPath


def usable_cores(root: Path = Path("/"), affinity: int | None = None) -> int:
    """Cores of the process's affinity, or fewer by the CPU quota of a control group (``docker --cpus``), rounded up.

    Args:
        root: Where ``proc`` and ``sys`` are.
        affinity: Cores that it may run on, instead of what the kernel says.
    """
    allowed = len(os.sched_getaffinity(0)) if affinity is None else affinity
    return max(1, min([allowed, *(ceil(quota) for quota in _quotas(root))]))


def _quotas(root: Path) -> Iterator[float]:
    """Cores that the process's control groups and those above them allow; nothing where there is no limit."""
    for line in _text(root / "proc/self/cgroup").splitlines():
        _, controllers, path = line.split(":", 2)
        hierarchy = root / "sys/fs/cgroup" / controllers
        if controllers not in ("", "cpu", "cpu,cpuacct", "cpuacct,cpu"):
            continue
        # a container sees its own group as the root, under a path that may be the host's
        inner = PurePosixPath("/", *(part for part in PurePosixPath(path).parts if part != ".."))
        for group in (inner, *inner.parents):
            yield from _quota(hierarchy / group.relative_to("/"), unified=not controllers)


def _quota(group: Path, *, unified: bool) -> Iterator[float]:
    if unified:
        quota, _, period = _text(group / "cpu.max").strip().partition(" ")
    else:
        quota, period = (_text(group / f"cpu.cfs_{name}_us").strip() for name in ("quota", "period"))
    # "max" and -1 mean no limit
    if quota.isdigit() and period.isdigit() and int(period) > 0:
        yield int(quota) / int(period)


def _text(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""
