"""How much data cameras make, and how much of it needs to travel."""

import math

SECONDS_PER_MONTH = 365.25 / 12 * 86_400
"""2,629,800: a year's twelfth."""


def total_mbps(cameras: int, mbps_per_camera: float) -> float:
    """All cameras together: ``cameras * mbps_per_camera``, in Mbit/s."""
    return cameras * mbps_per_camera


def gigabytes_per_month(mbps: float) -> float:
    """A rate kept up for a month: ``mbps * seconds per month / 8 / 1000``, in GB of 10^9 bytes."""
    return mbps * SECONDS_PER_MONTH / 8 / 1000


def reduction_factor(mbps_in: float, mbps_out: float) -> float:
    """How much less is sent than is made: ``in / out``; infinite where nothing is sent.

    Both should come from counters of a running gateway: a factor that nobody counted is not worth planning with.
    """
    return math.inf if mbps_out == 0.0 else mbps_in / mbps_out
