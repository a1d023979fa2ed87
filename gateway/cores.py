"""How many cores this process may use."""

import os
from collections.abc import Iterator
from math import ceil
from pathlib import Path

from gateway.control_groups import ControlGroup, control_groups


def usable_cores(root: Path = Path("/"), affinity: int | None = None) -> int:
    """Cores of the process's affinity, or fewer by the CPU quota of a control group (``docker --cpus``), rounded up.

    Args:
        root: Where ``proc`` and ``sys`` are.
        affinity: Cores that it may run on, instead of what the kernel says.
    """
    allowed = len(os.sched_getaffinity(0)) if affinity is None else affinity
    quotas = (quota for group in control_groups("cpu", root) for quota in _quota(group))
    return max(1, min([allowed, *(ceil(quota) for quota in quotas)]))


def _quota(group: ControlGroup) -> Iterator[float]:
    """Cores that a group allows; nothing where there is no limit."""
    if group.unified:
        quota, _, period = group.text("cpu.max").strip().partition(" ")
    else:
        quota, period = (group.text(f"cpu.cfs_{name}_us").strip() for name in ("quota", "period"))
    # "max" and -1 mean no limit
    if quota.isdigit() and period.isdigit() and int(period) > 0:
        yield int(quota) / int(period)
