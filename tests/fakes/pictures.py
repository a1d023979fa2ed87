"""Small pictures for tests."""

import numpy as np
import simplejpeg


def jpeg(width: int = 128, height: int = 96, seed: int = 0) -> bytes:
    """A JPEG of noise."""
    pixels = np.random.default_rng(seed).integers(0, 255, (height, width, 3), np.uint8)
    picture: bytes = simplejpeg.encode_jpeg(pixels, quality=90, colorspace="RGB")
    return picture
