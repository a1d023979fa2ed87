"""Pictures of kinds that a GPU's decoder takes, and of others."""

import io
import struct

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from tests.fakes.pictures import jpeg


def smooth(width: int, height: int, seed: int = 0) -> NDArray[np.uint8]:
    """RGB without sharp edges, for which decoders agree."""
    rng = np.random.default_rng(seed)
    pixels = cv2.resize(rng.integers(0, 255, (4, 5, 3), dtype=np.uint8), (width, height), interpolation=cv2.INTER_CUBIC)
    return np.ascontiguousarray(pixels, dtype=np.uint8)


def png(width: int, height: int, seed: int = 0) -> bytes:
    return pillow(np.random.default_rng(seed).integers(0, 255, (height, width, 3), dtype=np.uint8), "png")


def pillow(pixels: NDArray[np.generic], kind: str, mode: str = "", **options: object) -> bytes:
    picture = Image.fromarray(pixels)
    buffer = io.BytesIO()
    (picture.convert(mode) if mode else picture).save(buffer, kind, **options)
    return buffer.getvalue()


def oriented(data: bytes, orientation: int) -> bytes:
    """A JPEG with an EXIF orientation (tag 274) put into it."""
    entry = struct.pack("<HHIHH", 0x0112, 3, 1, orientation, 0)
    body = b"Exif\0\0" + b"II*\0" + struct.pack("<IH", 8, 1) + entry + b"\0\0\0\0"
    return data[:2] + b"\xff\xe1" + struct.pack(">H", len(body) + 2) + body + data[2:]


def corrupt(width: int = 48, height: int = 32) -> bytes:
    """A JPEG that ends as one, with half of its pixels missing."""
    whole = jpeg(width, height)
    return whole[: len(whole) // 2] + b"\xff\xd9"
