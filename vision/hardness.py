"""How hard a frame was for a model, from its answer alone: what is uncertain in it is worth another look.

Probabilities are calibrated scores, of everything found before the display threshold: a frame where nothing is shown
but something nearly was is hard, too.
"""

import numpy as np
from numpy.typing import NDArray

LOWEST_SCORE = 0.05
"""Boxes below are left out: they are too many and too unlikely."""
_TOP = 50

Values = NDArray[np.float64]


def expected_errors(probabilities: Values) -> float:
    """Expected number of wrong decisions on boxes: the sum of min(p, 1 - p) over the 50 most probable.

    Args:
        probabilities: (K,) that each box is right, in any order.
    """
    best = np.sort(probabilities)[::-1][:_TOP]
    return float(np.minimum(best, 1 - best).sum())


def strongest_hidden(probabilities: Values, shown: NDArray[np.bool_]) -> float:
    """Probability of the best box that is not shown, a possible miss; 0 where there is none.

    Args:
        probabilities: (K,) that each box is right.
        shown: (K,) whether its score reaches the threshold of its class.
    """
    hidden = probabilities[~shown]
    return float(hidden.max()) if hidden.size else 0.0


def lack_of_margin(probabilities: Values) -> Values:
    """1 minus the lead of the best class over the second best.

    Args:
        probabilities: (N, C) of N frames; with one class the result is 1 minus its probability.

    Returns:
        (N,) from 0 (sure) to 1.
    """
    if probabilities.shape[1] == 1:
        return 1 - probabilities[:, 0]
    second, best = np.partition(probabilities, -2, axis=1)[:, -2:].T
    return np.asarray(1 - (best - second), dtype=np.float64)


def on_scale(values: Values, quantiles: Values) -> Values:
    """Where values lie among those of the calibration frames: 0 at their smallest, 1 at their largest.

    Args:
        values: (N,).
        quantiles: (Q,) rising, at equal steps of probability; of equal ones the first counts.

    Returns:
        (N,) from 0 to 1, linear between the quantiles.
    """
    levels = np.linspace(0, 1, len(quantiles))
    first = np.append(True, np.diff(quantiles) > 0)
    scaled = np.interp(values, quantiles[first], levels[first])
    return np.where(values > quantiles[-1], 1.0, scaled)
