"""What this machine is: read from ``/proc``, ``/sys`` and ``/dev``; what cannot be read is None, never 0."""

import os
import platform
import re
import shutil
from dataclasses import dataclass
from pathlib import Path

from contracts.machine_class import MachineFacts, detect_class

_FLAGS = (
    *("avx2", "avx_vnni", "avx512f", "avx512_vnni", "avx512_bf16", "amx_tile", "amx_int8", "amx_bf16"),
    *("asimddp", "i8mm", "bf16", "sve"),
)


@dataclass(frozen=True, slots=True)
class MachineProfile:
    """Facts of a machine that matter for inference.

    Attributes:
        facts: What decides its hardware class.
        cpu_model: As the processor calls itself.
        cpu_flags: Of the instructions that speed up networks, those that it has.
        cpu_count: Processors that may be used here: those of the machine, or fewer by the container's quota.
        memory_bytes: Main memory, or the container's limit where that is lower.
        storage_bytes: Size of the file system of the working directory.
        gpus: Names of NVIDIA GPUs, as the driver tells; empty where it tells nothing.
        power_source: ``mains`` or ``battery``; None where the machine does not tell.
        hottest_celsius: The hottest thermal zone now.
    """

    facts: MachineFacts
    cpu_model: str | None
    cpu_flags: tuple[str, ...]
    cpu_count: float | None
    memory_bytes: int | None
    storage_bytes: int | None
    gpus: tuple[str, ...]
    power_source: str | None
    hottest_celsius: float | None

    def hardware_class(self, declared: str | None = None) -> str:
        """The class that this machine is of: the one that the operator declared, or what it says itself."""
        return detect_class(self.facts, declared).name


def read_machine_profile(root: Path = Path("/"), architecture: str | None = None) -> MachineProfile:
    """Read a machine; works without privileges and in a bare container.

    Args:
        root: Where ``proc``, ``sys`` and ``dev`` are.
        architecture: Instead of what the running kernel says.
    """
    cpuinfo = _text(root / "proc/cpuinfo")
    return MachineProfile(
        facts=MachineFacts(
            architecture=architecture or platform.machine(),
            device_tree_model=_text(root / "proc/device-tree/model").strip("\0 \n"),
            nvidia_gpu=any(re.fullmatch(r"nvidia\d+", path.name) for path in _entries(root / "dev")),
        ),
        cpu_model=_cpu_model(cpuinfo),
        cpu_flags=_cpu_flags(cpuinfo),
        cpu_count=_cpu_count(cpuinfo, root),
        memory_bytes=_memory_bytes(root),
        storage_bytes=_storage_bytes(),
        gpus=_gpus(root),
        power_source=_power_source(root),
        hottest_celsius=_hottest_celsius(root),
    )


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def _entries(folder: Path) -> list[Path]:
    try:
        return sorted(folder.iterdir())
    except OSError:
        return []


def _value(text: str, *keys: str) -> str | None:
    """The first ``key : value`` of a file of such lines."""
    for line in text.splitlines():
        key, colon, value = line.partition(":")
        if colon and key.strip() in keys:
            return value.strip()
    return None


def _cpu_model(cpuinfo: str) -> str | None:
    name = _value(cpuinfo, "model name", "Model")
    if name is not None:
        return name
    maker, part = _value(cpuinfo, "CPU implementer"), _value(cpuinfo, "CPU part")
    return None if part is None else f"Arm implementer {maker}, part {part}"


def _cpu_flags(cpuinfo: str) -> tuple[str, ...]:
    present = set((_value(cpuinfo, "flags", "Features") or "").split())
    return tuple(flag for flag in _FLAGS if flag in present)


def _cpu_count(cpuinfo: str, root: Path) -> float | None:
    count = len(re.findall(r"(?m)^processor\s*:", cpuinfo)) or None
    quota, _, period = _text(root / "sys/fs/cgroup/cpu.max").partition(" ")
    if quota.isdigit() and period.strip().isdigit():
        allowed = int(quota) / int(period)
        return allowed if count is None else min(float(count), allowed)
    return count


def _memory_bytes(root: Path) -> int | None:
    total = _value(_text(root / "proc/meminfo"), "MemTotal")
    limit = _text(root / "sys/fs/cgroup/memory.max").strip()
    known = [int(total.split()[0]) * 1024] if total else []
    known += [int(limit)] if limit.isdigit() else []
    return min(known, default=None)


def _storage_bytes() -> int | None:
    try:
        return shutil.disk_usage(os.curdir).total
    except OSError:
        return None


def _gpus(root: Path) -> tuple[str, ...]:
    cards = _entries(root / "proc/driver/nvidia/gpus")
    names = (_value(_text(card / "information"), "Model") for card in cards)
    return tuple(name for name in names if name)


def _power_source(root: Path) -> str | None:
    supplies = _entries(root / "sys/class/power_supply")
    kinds = {_text(supply / "type").strip(): _text(supply / "online").strip() for supply in supplies}
    if kinds.get("Mains") == "1" or kinds.get("USB") == "1":
        return "mains"
    if "Battery" in kinds:
        return "battery"
    return "mains" if "Mains" in kinds else None


def _hottest_celsius(root: Path) -> float | None:
    zones = (_text(zone / "temp").strip() for zone in _entries(root / "sys/class/thermal"))
    return max((int(text) / 1000.0 for text in zones if re.fullmatch(r"-?\d+", text)), default=None)
