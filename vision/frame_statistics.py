"""Three numbers that tell whether a camera still sees what it saw: too dark, out of focus, covered."""

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

from vision.decode import Pixels

WIDTH = 320
"""Frames are measured at this width, so that cameras of different resolution can be compared."""


@dataclass(frozen=True, slots=True)
class FrameStatistics:
    """Of one frame.

    Attributes:
        brightness: mean grey level, 0 to 255.
        sharpness: log2 of 1 plus the variance of the Laplacian; falls when the picture is blurred.
        entropy_bits: of the grey levels, 0 (one level) to 8.
    """

    brightness: float
    sharpness: float
    entropy_bits: float


def frame_statistics(rgb: Pixels) -> FrameStatistics:
    """Measure a decoded frame, (height, width, 3)."""
    height, width = rgb.shape[:2]
    size = (WIDTH, max(1, round(height * WIDTH / width)))
    grey: Any = cv2.cvtColor(cv2.resize(rgb, size, interpolation=cv2.INTER_AREA), cv2.COLOR_RGB2GRAY)
    shares = np.bincount(grey.ravel(), minlength=256) / grey.size
    present = shares[shares > 0]
    return FrameStatistics(
        brightness=float(grey.mean()),
        sharpness=float(np.log2(1 + cv2.Laplacian(grey, cv2.CV_32F).var())),
        entropy_bits=max(0.0, float(-(present * np.log2(present)).sum())),
    )
