"""Energy of the processor packages, where the machine counts it (Intel and AMD, through Linux' powercap)."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

POWERCAP = Path("/sys/class/powercap")


@dataclass(frozen=True, slots=True)
class _Package:
    counter: Path
    limit_microjoules: int


class EnergyCounter:
    """The counters of all packages together; they run over, about once in some minutes under load.

    Args:
        powercap: Folder of the kernel's counters.
    """

    def __init__(self, powercap: Path = POWERCAP) -> None:
        self._packages = _readable_packages(powercap)

    @property
    def available(self) -> bool:
        """Whether this machine counts, and lets us read it."""
        return bool(self._packages)

    def read(self) -> tuple[int, ...]:
        """Microjoules of each package.

        Raises:
            OSError: A counter cannot be read any more.
        """
        return tuple(int(package.counter.read_text()) for package in self._packages)

    def joules_between(self, before: tuple[int, ...], after: tuple[int, ...]) -> float | None:
        """Energy between two readings, each counter running over at most once; None where nothing is counted."""
        if not self._packages:
            return None
        spent = 0
        for package, first, second in zip(self._packages, before, after, strict=True):
            spent += second - first if second >= first else second - first + package.limit_microjoules
        return spent / 1e6

    def mean_watts(
        self,
        seconds: float,
        *,
        wait: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.perf_counter,
    ) -> float | None:
        """Power from now on; None, without waiting, where nothing is counted.

        Raises:
            OSError: A counter cannot be read any more.
        """
        if not self._packages:
            return None
        before, began_at = self.read(), clock()
        wait(seconds)
        joules = self.joules_between(before, self.read())
        return None if joules is None else joules / (clock() - began_at)


def _readable_packages(powercap: Path) -> tuple[_Package, ...]:
    """Top-level zones only: their parts (cores, memory controller) are counted in them."""
    packages = []
    for zone in sorted(powercap.glob("intel-rapl:*")):
        if zone.name.count(":") == 1:
            try:
                int((zone / "energy_uj").read_text())
                packages.append(_Package(zone / "energy_uj", int((zone / "max_energy_range_uj").read_text())))
            except (OSError, ValueError):
                continue
    return tuple(packages)
