"""Stages of a pipeline against the time there is."""

import math
from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class LatencyBudget:
    """What the stages take of a budget.

    Attributes:
        total_ms: Sum of the stages.
        headroom_ms: What is left; negative where the stages take too long.
        shares: Of the total, by stage.
        serial_frames_per_second: One frame after the other, ``1000 / total``.
        pipelined_frames_per_second: Every stage busy with a frame of its own, ``1000 / longest stage``.
    """

    total_ms: float
    headroom_ms: float
    shares: Mapping[str, float]
    serial_frames_per_second: float
    pipelined_frames_per_second: float

    def retries(self, p95_ms: float) -> int:
        """How many further tries, each taking its 95th percentile, still end inside the budget."""
        return max(0, math.floor(self.headroom_ms / p95_ms))


def latency_budget(stages_ms: Mapping[str, float], budget_ms: float) -> LatencyBudget:
    """Add the stages up; they must not be empty nor all take no time."""
    total = sum(stages_ms.values())
    return LatencyBudget(
        total_ms=total,
        headroom_ms=budget_ms - total,
        shares={name: taken / total for name, taken in stages_ms.items()},
        serial_frames_per_second=1000.0 / total,
        pipelined_frames_per_second=1000.0 / max(stages_ms.values()),
    )


def period_ms(per_minute: float) -> float:
    """Time from one part to the next: ``60000 / per_minute``; 300 parts a minute are one each 200 ms.

    It bounds the throughput. How soon the answer is due depends on the way from camera to ejector, not on this.
    """
    return 60_000.0 / per_minute
