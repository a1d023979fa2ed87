"""Pictures that are drawn, encoded and damaged in the tests of `vision`."""

import functools
import io
import struct
import zlib
from collections.abc import Callable

import cv2
import numpy as np
import pytest
import simplejpeg
from numpy.typing import NDArray
from PIL import Image

Pixels = NDArray[np.uint8]


@pytest.fixture(scope="session")
def scene() -> Callable[..., Pixels]:
    """A seeded RGB scene: brushed texture, sensor noise, sharp shapes in saturated colours."""

    @functools.cache
    def draw(width: int, height: int, seed: int = 0) -> Pixels:
        rng = np.random.default_rng(seed)
        light = rng.integers(60, 200, (6, 8, 3), dtype=np.uint8)
        base = np.asarray(cv2.resize(light, (width, height), interpolation=cv2.INTER_CUBIC), np.float32)
        brushed = cv2.blur(rng.normal(0, 150, (height, width)).astype(np.float32), (41, 1))
        canvas = np.clip(base + np.asarray(brushed)[..., None], 0, 255).astype(np.uint8)
        for _ in range(100):
            x, y, size = int(rng.integers(width)), int(rng.integers(height)), int(rng.integers(3, 40))
            color = tuple(int(value) for value in rng.integers(0, 255, 3))
            cv2.circle(canvas, (x, y), size // 2, color, -1, cv2.LINE_AA)
            cv2.line(canvas, (y % width, x % height), (y % width + 3 * size, x % height + size), color, 1 + size % 3)
        noisy: NDArray[np.uint8] = np.clip(canvas + rng.normal(0, 3, canvas.shape), 0, 255).astype(np.uint8)
        noisy.flags.writeable = False
        return noisy

    return draw


@pytest.fixture(scope="session")
def encode() -> Callable[..., bytes]:
    """Encode RGB (or grey, RGBA, CMYK) pixels by Pillow, or JPEG in RGB by libjpeg-turbo."""

    def encode_pixels(pixels: NDArray[np.generic], kind: str, **options: object) -> bytes:
        if kind in ("420", "422", "444"):
            return bytes(simplejpeg.encode_jpeg(np.ascontiguousarray(pixels), quality=90, colorsubsampling=kind))
        buffer = io.BytesIO()
        if kind == "png":
            options.setdefault("compress_level", 1)
        picture = Image.fromarray(pixels)
        mode = options.pop("mode", None)
        if isinstance(mode, str):
            picture = picture.convert(mode)
        picture.save(buffer, kind, **options)
        return buffer.getvalue()

    return encode_pixels


@pytest.fixture(scope="session")
def tiff() -> Callable[..., bytes]:
    """A TIFF structure with a width tag and an orientation tag, in either byte order."""

    def build(orientation: int, order: str = "<") -> bytes:
        mark = b"II*\0" if order == "<" else b"MM\0*"
        entries = struct.pack(f"{order}HHIHH", 0x0100, 3, 1, 640, 0)
        entries += struct.pack(f"{order}HHIHH", 0x0112, 3, 1, orientation, 0)
        return mark + struct.pack(f"{order}IH", 8, 2) + entries + b"\0\0\0\0"

    return build


@pytest.fixture(scope="session")
def oriented(tiff: Callable[..., bytes]) -> Callable[..., bytes]:
    """An encoded picture with an EXIF orientation put into it."""

    def insert(data: bytes, orientation: int, order: str = "<") -> bytes:
        exif = tiff(orientation, order)
        if data.startswith(b"\xff\xd8"):
            body = b"Exif\0\0" + exif
            return data[:2] + b"\xff\xe1" + struct.pack(">H", len(body) + 2) + body + data[2:]
        if data.startswith(b"\x89PNG"):
            return data[:33] + png_chunk(b"eXIf", exif) + data[33:]
        with Image.open(io.BytesIO(data)) as picture:
            buffer = io.BytesIO()
            picture.save(buffer, "webp", lossless=True, exif=exif)
        return buffer.getvalue()

    return insert


def png_chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
