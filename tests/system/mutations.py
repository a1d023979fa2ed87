"""Seeded damage: bytes, JSON and pictures that are nearly right."""

import io
import random
import struct
from typing import Any

import numpy as np
from PIL import Image

Json = Any
_EDGE_NUMBERS = (0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)
JUNK: tuple[Json, ...] = (
    None,
    True,
    -1,
    0,
    65,
    2**31,
    2**63,
    -(2**63),
    2**64,
    1e308,
    float("nan"),
    float("inf"),
    "",
    "0",
    "\0",
    "Ω" * 40,
    "x" * 3000,
    [],
    {},
    [[]],
    [None, "1", 1],
    {"name": 1},
)


def mutated(rng: random.Random, data: bytes) -> bytes:
    """One to six pieces of damage: flipped bits, edge numbers, pieces that are cut out, doubled, moved or made up."""
    damaged = bytearray(data)
    for _ in range(rng.randint(1, 6)):
        _damage(rng, damaged)
    return bytes(damaged)


def _damage(rng: random.Random, data: bytearray) -> None:
    at = rng.randrange(len(data) + 1)
    piece = slice(at, at + rng.choice((1, 2, 4, 16, 200)))
    match rng.randrange(7):
        case 0 if at < len(data):
            data[at] ^= 1 << rng.randrange(8)
        case 1:
            form = rng.choice(("<I", ">I", "<H", ">H"))
            number = rng.choice(_EDGE_NUMBERS) & (0xFFFF if form[1] == "H" else 0xFFFFFFFF)
            data[at : at + struct.calcsize(form)] = struct.pack(form, number)
        case 2:
            del data[piece]
        case 3:
            data[at:at] = data[piece]
        case 4:
            data[at:at] = rng.randbytes(rng.choice((1, 3, 8, 64)))
        case 5:
            del data[at:]
        case _:
            cut = data[piece]
            del data[piece]
            elsewhere = rng.randrange(len(data) + 1)
            data[elsewhere:elsewhere] = cut


def spoiled(rng: random.Random, value: Json) -> Json:
    """A copy with up to three values replaced by junk, removed or doubled."""
    copy = _copied(value)
    for _ in range(rng.randrange(4)):
        places = _places(copy)
        if not places:
            return rng.choice(JUNK)
        container, key = rng.choice(places)
        if rng.random() < 0.25:
            del container[key]
        elif isinstance(container, list) and rng.random() < 0.2:
            container.append(_copied(container[key]))
        else:
            container[key] = _copied(rng.choice(JUNK))
    return copy


def _copied(value: Json) -> Json:
    if isinstance(value, dict):
        return {key: _copied(each) for key, each in value.items()}
    return [_copied(each) for each in value] if isinstance(value, list) else value


def _places(value: Json) -> list[tuple[Any, Any]]:
    """Every container of a tree with every key in it."""
    keys = list(value) if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    found: list[tuple[Any, Any]] = [(value, key) for key in keys]
    return found + [place for key in keys for place in _places(value[key])]


def sample_pictures() -> tuple[bytes, ...]:
    """Small pictures of every kind that is decoded: JPEG, PNG, WebP and BMP, and a GIF, which is not."""
    rows, columns = np.mgrid[0:96, 0:128]
    rgb = np.stack([2 * rows, columns, rows + columns], axis=-1).astype(np.uint8)
    colour = Image.fromarray(rgb)
    turned = Image.Exif()
    turned[0x0112] = 6
    kinds: tuple[tuple[Image.Image, str, dict[str, Any]], ...] = (
        (colour, "JPEG", {"exif": turned}),
        (colour, "JPEG", {"progressive": True, "quality": 60}),
        (colour, "JPEG", {"subsampling": 0, "restart_marker_blocks": 2}),
        (colour.convert("L"), "JPEG", {}),
        (colour.convert("CMYK"), "JPEG", {}),
        (colour, "PNG", {}),
        (colour.convert("RGBA"), "PNG", {}),
        (colour.convert("P"), "PNG", {}),
        (Image.fromarray(rgb[:, :, 0].astype(np.uint16) * 257), "PNG", {}),
        (colour, "WEBP", {"quality": 70}),
        (colour, "WEBP", {"lossless": True}),
        (colour, "BMP", {}),
        (colour.convert("P"), "BMP", {}),
        (colour.convert("P"), "GIF", {}),
    )
    return tuple(_saved(picture, kind, options) for picture, kind, options in kinds)


def _saved(picture: Image.Image, kind: str, options: dict[str, Any]) -> bytes:
    file = io.BytesIO()
    picture.save(file, kind, **options)
    return file.getvalue()
