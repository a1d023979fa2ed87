"""A picture to try a model on where none is given."""

import cv2
import numpy as np


def synthetic_frame(seed: int = 0) -> bytes:
    """A PNG of 1280x720: soft clouds of colour with a few hard shapes, the same for the same seed."""
    rng = np.random.default_rng(seed)
    clouds = rng.integers(0, 256, (9, 16, 3), dtype=np.uint8)
    picture = np.ascontiguousarray(cv2.resize(clouds, (1280, 720), interpolation=cv2.INTER_CUBIC))
    for _ in range(12):
        x, y, width, height = (int(value) for value in rng.integers((0, 0, 40, 40), (1200, 640, 320, 240)))
        color = [int(value) for value in rng.integers(0, 256, 3)]
        cv2.rectangle(picture, (x, y), (x + width, y + height), color, -1)
        cv2.circle(picture, (y + width, x // 2), height // 2, color[::-1], 4)
    return bytes(cv2.imencode(".png", picture)[1])
