"""Small pictures that no two of are alike."""

from pathlib import Path

import cv2
import numpy as np


def write_frame(path: Path, seed: int) -> None:
    path.parent.mkdir(exist_ok=True)
    assert cv2.imwrite(str(path), np.random.default_rng(seed).integers(0, 256, (24, 32, 3), dtype=np.uint8))
