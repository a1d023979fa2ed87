"""The first against the last minute of a long load: a machine that gets too hot slows down."""

import asyncio
import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from gateway.load.load_window import LoadWindow
from gateway.load.process_cpu import PROC
from gateway.load.request_record import RequestRecord

THROTTLING_RATIO = 1.2
_MINUTE_SECONDS = 60.0
_MHZ = re.compile(r"^cpu MHz\s*:\s*([\d.]+)", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class FrequencyReading:
    """Mean clock of all cores at one moment."""

    at: float
    mhz: float


@dataclass(frozen=True, slots=True)
class MinuteSummary:
    """A part of a load; ``cpu_mhz`` is None where the kernel does not tell."""

    p50_ms: float
    images_per_second: float
    cpu_mhz: float | None


@dataclass(frozen=True, slots=True)
class SustainedComparison:
    """How the end of a load compares to its beginning."""

    first: MinuteSummary
    last: MinuteSummary

    @property
    def ratio(self) -> float:
        """How many times slower the end is, by latency or by throughput, whichever is worse."""
        latency = self.last.p50_ms / self.first.p50_ms
        rate = self.first.images_per_second / self.last.images_per_second
        return max(latency, rate)

    @property
    def throttled(self) -> bool:
        """Whether the machine got clearly slower."""
        return self.ratio > THROTTLING_RATIO


def compare_ends(
    records: Sequence[RequestRecord], window: LoadWindow, frequencies: Sequence[FrequencyReading] = ()
) -> SustainedComparison | None:
    """Compare the first and the last minute of a window, or its halves where it is shorter than two minutes.

    Returns:
        None where one of them has no answer.
    """
    length = min(_MINUTE_SECONDS, window.seconds / 2)
    first = LoadWindow(window.starts_at, window.begins_at, window.begins_at + length)
    last = LoadWindow(window.starts_at, window.ends_at - length, window.ends_at)
    summaries = [_minute(records, part, frequencies) for part in (first, last)]
    if summaries[0] is None or summaries[1] is None:
        return None
    return SustainedComparison(summaries[0], summaries[1])


async def watch_frequency(
    window: LoadWindow, clock: Callable[[], float] = time.perf_counter, proc: Path = PROC
) -> list[FrequencyReading]:
    """Read the cores' clocks once a second while a window lasts."""
    readings = []
    while (now := clock()) < window.ends_at:
        if (mhz := cpu_mhz(proc)) is not None:
            readings.append(FrequencyReading(now, mhz))
        await asyncio.sleep(min(1.0, window.ends_at - now))
    return readings


def cpu_mhz(proc: Path = PROC) -> float | None:
    """Mean clock of the cores, where ``cpuinfo`` tells it."""
    found = _MHZ.findall((proc / "cpuinfo").read_text())
    return float(np.mean([float(text) for text in found])) if found else None


def _minute(
    records: Sequence[RequestRecord], part: LoadWindow, frequencies: Sequence[FrequencyReading]
) -> MinuteSummary | None:
    latencies = [record.latency_seconds for record in records if record.answered and part.contains(record.finished_at)]
    if not latencies:
        return None
    clocks = [reading.mhz for reading in frequencies if part.contains(reading.at)]
    return MinuteSummary(
        p50_ms=float(np.median(latencies)) * 1e3,
        images_per_second=len(latencies) / part.seconds,
        cpu_mhz=float(np.mean(clocks)) if clocks else None,
    )
