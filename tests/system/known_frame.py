"""A frame whose answer is known."""

from typing import Any

import numpy as np

from tests.system.conftest import encode


class KnownFrame:
    """A grey frame whose one box and score no other frame has: an answer for another one is noticed."""

    def __init__(self, level: int, width: int, height: int) -> None:
        self.data = encode(np.full((height, width, 3), level, dtype=np.uint8))
        self._score = 0.9 * level / 255
        self._box = np.array([width, height, 3 * width, 3 * height]) / 4

    def fits(self, score: float, box: Any) -> bool:
        return abs(score - self._score) < 0.02 and bool(np.abs(np.asarray(box) - self._box).max() < 0.5)
