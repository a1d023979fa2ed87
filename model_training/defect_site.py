"""Where and how one defect is to be painted."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class DefectSite:
    """One defect before it is painted.

    Attributes:
        centre: (2,) x and y on the flat scene.
        extent_px: longest side.
        contrast: strength relative to the local brightness, 0..1.
        light: (2,) unit vector that points to the lamp.
        painted: whether the part is painted (metal shows through scratches) or bare.
    """

    centre: NDArray[np.float32]
    extent_px: float
    contrast: float
    light: NDArray[np.float32]
    painted: bool
