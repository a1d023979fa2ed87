"""Whether memory stays where it is over many requests. Pure."""

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

STEADY_GROWTH = 0.05
SMALLEST_GROWTH_MIB = 16.0
_SETTLED_AFTER = 0.2
_PART = 0.2


@dataclass(frozen=True, slots=True)
class MemoryReading:
    """Resident memory by process role, in bytes, after some requests."""

    requests: int
    rss_bytes: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class SoakSummary:
    """Memory over a soak.

    Attributes:
        model: The alias.
        requests: Sent in all.
        failures: Of them without a result.
        images_per_second: Over the whole soak.
        early_mib: Median by role once the caches are filled: requests from 20 % to 40 %.
        late_mib: Median by role over the last 20 %.
    """

    model: str
    requests: int
    failures: int
    images_per_second: float
    early_mib: Mapping[str, float]
    late_mib: Mapping[str, float]

    @property
    def growth_mib(self) -> float:
        """By how much all processes together grew."""
        return sum(self.late_mib.values()) - sum(self.early_mib.values())

    @property
    def steady(self) -> bool:
        """Whether that is less than 5 %, or too little to tell from noise."""
        return self.growth_mib <= max(SMALLEST_GROWTH_MIB, STEADY_GROWTH * sum(self.early_mib.values()))


def summarise_soak(
    model: str, readings: Sequence[MemoryReading], *, requests: int, failures: int, seconds: float
) -> SoakSummary:
    """Compare memory early and late in a soak.

    Raises:
        ValueError: Too few readings to compare.
    """
    early, late = early_and_late([(each.requests, each.rss_bytes) for each in readings], requests)
    return SoakSummary(
        model=model,
        requests=requests,
        failures=failures,
        images_per_second=(requests - failures) / seconds,
        early_mib={role: size_bytes / 2**20 for role, size_bytes in early.items()},
        late_mib={role: size_bytes / 2**20 for role, size_bytes in late.items()},
    )


def early_and_late(
    readings: Sequence[tuple[int, Mapping[str, float]]], requests: int
) -> tuple[dict[str, float], dict[str, float]]:
    """Medians by role over the requests from 20 % to 40 %, and over the last 20 %.

    Args:
        readings: After how many requests, and what each role had then.
        requests: In all.

    Raises:
        ValueError: Too few readings to compare.
    """
    early = [values for done, values in readings if _SETTLED_AFTER <= done / requests <= _SETTLED_AFTER + _PART]
    late = [values for done, values in readings if done / requests >= 1.0 - _PART]
    if not early or not late:
        raise ValueError(f"{len(readings)} readings are too few to compare early and late")
    return _medians(early), _medians(late)


def _medians(readings: Sequence[Mapping[str, float]]) -> dict[str, float]:
    roles = dict.fromkeys(role for each in readings for role in each)
    return {role: statistics.median(each.get(role, 0) for each in readings) for role in roles}
