"""How far one tensor is from another."""

import math
from dataclasses import dataclass

import numpy as np

from model_compiler.engines.engine import Array


@dataclass(frozen=True, slots=True)
class TensorError:
    """A candidate's tensor against the reference's.

    Attributes:
        largest: Largest absolute difference.
        relative: The same in units of the reference's largest absolute value.
        sqnr_db: Signal to noise, ``10 log10(sum(r^2) / sum((r - c)^2))``; infinite for equal tensors.
        not_finite: Values of the candidate that are NaN or infinite where the reference's are not.
    """

    name: str
    largest: float
    relative: float
    sqnr_db: float
    not_finite: int


def tensor_error(name: str, reference: Array, candidate: Array) -> TensorError:
    """Compare two tensors of one shape; values that are not finite in the reference are left out."""
    wanted, got = np.asarray(reference, np.float64), np.asarray(candidate, np.float64)
    known = np.isfinite(wanted)
    bad = known & ~np.isfinite(got)
    both = known & ~bad
    difference = (wanted - got)[both]
    largest = float(np.abs(difference).max(initial=0.0))
    scale = float(np.abs(wanted[known]).max(initial=0.0))
    signal, noise = float((wanted[both] ** 2).sum()), float((difference**2).sum())
    sqnr_db = math.inf if noise == 0.0 else 10.0 * math.log10(max(signal, 1e-300) / noise)
    relative = largest / scale if scale else (0.0 if largest == 0.0 else math.inf)
    return TensorError(name, largest, relative, -math.inf if bad.any() else sqnr_db, int(bad.sum()))
