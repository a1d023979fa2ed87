"""Large noise textures that all frames take their crops from; built once a process from a constant seed."""

from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

BANK_SEED = 77
BANK_HEIGHT = 1536
BANK_WIDTH = 2048


@dataclass(frozen=True)
class TextureBank:
    """Grey textures as uint8 with mean 128, and a colour noise plate.

    Attributes:
        brushed: (1536, 2048) streaks along x.
        grain: (1536, 2048) fine isotropic grain.
        cloud: (1536, 2048) soft patches of several sizes.
        belt: (1536, 2048) woven rubber.
        sensor: (1200, 1600, 3) white noise, standard deviation 32.
    """

    brushed: NDArray[np.uint8]
    grain: NDArray[np.uint8]
    cloud: NDArray[np.uint8]
    belt: NDArray[np.uint8]
    sensor: NDArray[np.uint8]


@lru_cache(maxsize=1)
def texture_bank() -> TextureBank:
    """Return the bank of this process (about half a second on the first call)."""
    rng = np.random.default_rng(BANK_SEED)
    sensor = rng.normal(128.0, 32.0, (1200, 1600, 3))
    return TextureBank(
        brushed=_to_uint8(_brushed(rng), 34.0),
        grain=_to_uint8(_grain(rng), 30.0),
        cloud=_to_uint8(_cloud(rng), 40.0),
        belt=_to_uint8(_belt(rng), 30.0),
        sensor=np.clip(sensor, 0, 255).astype(np.uint8),
    )


def _white(rng: np.random.Generator) -> NDArray[np.float32]:
    return rng.standard_normal((BANK_HEIGHT, BANK_WIDTH), dtype=np.float32)


def _to_uint8(values: NDArray[np.float32], deviation: float) -> NDArray[np.uint8]:
    scaled = (values - values.mean()) / values.std() * deviation + 128.0
    return np.asarray(np.clip(scaled, 0, 255), dtype=np.uint8)


def _unit(values: ArrayLike) -> NDArray[np.float32]:
    array = np.asarray(values, dtype=np.float32)
    return np.asarray(array / array.std(), dtype=np.float32)


def _brushed(rng: np.random.Generator) -> NDArray[np.float32]:
    long_streaks = cv2.blur(_white(rng), (301, 1), borderType=cv2.BORDER_REFLECT)
    short_streaks = cv2.blur(_white(rng), (61, 1), borderType=cv2.BORDER_REFLECT)
    wide_streaks = cv2.GaussianBlur(cv2.blur(_white(rng), (401, 1)), (1, 9), 0, sigmaY=2.0)
    return np.asarray(_unit(long_streaks) + 0.8 * _unit(short_streaks) + 0.6 * _unit(wide_streaks), dtype=np.float32)


def _grain(rng: np.random.Generator) -> NDArray[np.float32]:
    fine = cv2.GaussianBlur(_white(rng), (0, 0), 1.0)
    coarse = cv2.GaussianBlur(_white(rng), (0, 0), 3.5)
    return np.asarray(_unit(fine) + 0.9 * _unit(coarse), dtype=np.float32)


def _cloud(rng: np.random.Generator) -> NDArray[np.float32]:
    total = np.zeros((BANK_HEIGHT, BANK_WIDTH), np.float32)
    for cells, weight in ((6, 1.0), (14, 0.6), (32, 0.35), (80, 0.18)):
        small = rng.standard_normal((cells * 3 // 4, cells), dtype=np.float32)
        total += weight * cv2.resize(small, (BANK_WIDTH, BANK_HEIGHT), interpolation=cv2.INTER_CUBIC)
    return total


def _belt(rng: np.random.Generator) -> NDArray[np.float32]:
    ys, xs = np.mgrid[0:BANK_HEIGHT, 0:BANK_WIDTH].astype(np.float32)
    period = 11.0
    weave = np.sin(2 * np.pi * xs / period) * np.sin(2 * np.pi * ys / period)
    wear = cv2.GaussianBlur(cv2.blur(_white(rng), (501, 3)), (0, 0), 2.0)
    rough = cv2.GaussianBlur(_white(rng), (0, 0), 1.3)
    return np.asarray(0.8 * weave + 0.7 * _unit(wear) + 0.8 * _unit(rough), dtype=np.float32)
