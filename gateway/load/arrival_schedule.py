"""When an open loop sends."""

from typing import Literal

import numpy as np
from numpy.typing import NDArray

Arrivals = Literal["poisson", "fixed"]


def arrival_offsets(
    rate_per_second: float, seconds: float, arrivals: Arrivals, rng: np.random.Generator
) -> NDArray[np.float64]:
    """Seconds from the start at which each request is due, ascending, all before ``seconds``.

    Args:
        rate_per_second: Mean rate.
        seconds: Length of the load.
        arrivals: Equal gaps, or exponential ones as of independent senders.
        rng: Draws the gaps of ``poisson``.

    Raises:
        ValueError: A rate that is not positive.
    """
    if rate_per_second <= 0:
        raise ValueError(f"rate must be greater than 0, got {rate_per_second}")
    if arrivals == "fixed":
        return np.arange(int(np.ceil(rate_per_second * seconds))) / rate_per_second
    # Given their number, the arrivals of a Poisson process are uniform on the interval.
    count = rng.poisson(rate_per_second * seconds)
    return np.sort(rng.uniform(0.0, seconds, count))
