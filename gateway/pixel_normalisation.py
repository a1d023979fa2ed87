"""How floats come from pixels, as a card asks. Pure."""

import numpy as np
from numpy.typing import NDArray

from contracts.model_card import InputSpec


def factor_and_shift(spec: InputSpec) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """``(pixel * scale - mean) / std`` as ``pixel * factor - shift``.

    Returns:
        (3,) and (3,), in the channel order of the input.
    """
    std = np.asarray(spec.std, dtype=np.float32)
    return np.float32(spec.scale) / std, np.asarray(spec.mean, dtype=np.float32) / std
