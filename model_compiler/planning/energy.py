"""Power from samples taken while a model ran."""

import math
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Energy:
    """What a run drew above idle.

    Attributes:
        mean_watts: Energy over time.
        peak_watts: Highest sample.
        std_watts: Standard deviation of the samples.
        joules: Whole run.
        joules_per_frame: ``joules / frames``.
    """

    mean_watts: float
    peak_watts: float
    std_watts: float
    joules: float
    joules_per_frame: float


def energy(seconds: Sequence[float], watts: Sequence[float], idle_watts: float, frames: int) -> Energy:
    """Integrate samples of power by the trapezoidal rule and take off what the machine draws idle.

    A single reading after a frame minus one before it says nothing: both are taken while the machine does the same.

    Args:
        seconds: When each sample was taken, growing; at least two.
        watts: Of the whole machine.
        idle_watts: Measured before the run.
        frames: That were inferred from the first to the last sample.
    """
    above = [value - idle_watts for value in watts]
    steps = zip(seconds, seconds[1:], above, above[1:], strict=False)
    joules = sum((after - before) * (first + second) / 2 for before, after, first, second in steps)
    mean_of_samples = sum(above) / len(above)
    return Energy(
        mean_watts=joules / (seconds[-1] - seconds[0]),
        peak_watts=max(above),
        std_watts=math.sqrt(sum((value - mean_of_samples) ** 2 for value in above) / len(above)),
        joules=joules,
        joules_per_frame=joules / frames,
    )
