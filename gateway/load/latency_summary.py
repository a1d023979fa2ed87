"""Latencies in four numbers."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, slots=True)
class LatencySummary:
    """Milliseconds."""

    count: int
    mean_ms: float
    p50_ms: float
    p95_ms: float
    p99_ms: float
    max_ms: float

    @classmethod
    def of(cls, seconds: Sequence[float]) -> "LatencySummary":
        """Summarise latencies; percentiles are interpolated linearly.

        Raises:
            ValueError: No latencies.
        """
        if not len(seconds):
            raise ValueError("no latencies to summarise")
        milliseconds = np.asarray(seconds, dtype=np.float64) * 1e3
        p50, p95, p99 = np.percentile(milliseconds, (50, 95, 99))
        return cls(
            len(seconds), float(milliseconds.mean()), float(p50), float(p95), float(p99), float(milliseconds.max())
        )
