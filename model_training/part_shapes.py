"""Outlines of the parts that lie on the belt, with the holes that belong to them."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Points = NDArray[np.float32]


@dataclass(frozen=True)
class PartShape:
    """One part on the flat scene.

    Attributes:
        outline: (K, 2) closed polygon.
        holes: (M, 3) circles: x, y, radius.
        centre: (2,) middle of the part.
        turned: whether it is a disc with circular tool marks instead of straight ones.
        angle: direction of the straight tool marks in radians.
    """

    outline: Points
    holes: NDArray[np.float32]
    centre: Points
    turned: bool
    angle: float


def draw_parts(rng: np.random.Generator, *, frame_wh: tuple[int, int]) -> tuple[PartShape, ...]:
    """One large part, or two or three equal smaller ones along the belt."""
    width, height = frame_wh
    count = int(rng.choice([1, 1, 1, 2, 2, 3]))
    kind = int(rng.integers(5))
    slot = width / count
    size = height * rng.uniform(0.34, 0.44) if count == 1 else slot * 0.47 / (1.3 if kind in (0, 3, 4) else 1.1)
    base_angle = rng.uniform(0, 2 * np.pi)
    parts = []
    for number in range(count):
        jitter = rng.uniform(-0.05, 0.05, 2) * height / count
        centre = np.array([slot * (number + 0.5) + jitter[0], height / 2 + jitter[1]], np.float32)
        angle = float(base_angle + rng.normal(0, 0.15))
        parts.append(_part(kind, centre, float(size), angle, np.random.default_rng(rng.integers(2**32)), count))
    return tuple(parts)


def _part(kind: int, centre: Points, size: float, angle: float, rng: np.random.Generator, count: int) -> PartShape:
    stretch = float(rng.uniform(1.0, 1.35)) if count == 1 else 1.0
    makers = (_plate, _disc, _polygon, _bracket, _bar)
    outline, holes = makers[kind](size, stretch, rng)
    if kind in (0, 3, 4):
        # Long parts lie roughly along the belt, or they would stick out of the picture.
        angle = float(np.round(angle / np.pi) * np.pi + rng.normal(0, 0.2))
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]], np.float32)
    placed = holes.copy()
    placed[:, :2] = holes[:, :2] @ turn + centre
    return PartShape((outline @ turn + centre).astype(np.float32), placed, centre, kind == 1, angle)


def _rounded(half_width: float, half_height: float, radius: float) -> Points:
    turns = np.linspace(0, np.pi / 2, 8)
    corner = np.stack([np.cos(turns), np.sin(turns)], axis=1) * radius
    signs = ((1, 1), (-1, 1), (-1, -1), (1, -1))
    pieces = []
    for index, (sx, sy) in enumerate(signs):
        arc = corner * [sx, sy] + [sx * (half_width - radius), sy * (half_height - radius)]
        pieces.append(arc if index % 2 == 0 else arc[::-1])
    return np.asarray(np.concatenate(pieces), dtype=np.float32)


def _holes(rows: list[tuple[float, float, float]]) -> NDArray[np.float32]:
    return np.array(rows, np.float32).reshape(-1, 3)


def _plate(size: float, stretch: float, rng: np.random.Generator) -> tuple[Points, NDArray[np.float32]]:
    half_width, half_height = size * stretch * 1.1, size * 0.9
    inset, radius = size * rng.uniform(0.13, 0.2), size * rng.uniform(0.035, 0.07)
    corners = [(sx * (half_width - inset), sy * (half_height - inset), radius) for sx in (-1, 1) for sy in (-1, 1)]
    return _rounded(half_width, half_height, size * rng.uniform(0.06, 0.25)), _holes(
        corners[: int(rng.choice([0, 2, 4, 4]))]
    )


def _disc(size: float, _stretch: float, rng: np.random.Generator) -> tuple[Points, NDArray[np.float32]]:
    turns = np.linspace(0, 2 * np.pi, 72, endpoint=False)
    outline = np.stack([np.cos(turns), np.sin(turns)], axis=1) * size * 1.05
    bolts = int(rng.choice([0, 4, 6]))
    circle = [
        (size * 0.82 * np.cos(t), size * 0.82 * np.sin(t), size * 0.06)
        for t in np.linspace(0, 2 * np.pi, bolts, endpoint=False)
    ]
    bore = [(0.0, 0.0, size * rng.uniform(0.1, 0.26))] if rng.random() < 0.7 else []
    return outline.astype(np.float32), _holes([*circle, *bore])


def _polygon(size: float, _stretch: float, rng: np.random.Generator) -> tuple[Points, NDArray[np.float32]]:
    sides = int(rng.choice([6, 8]))
    turns = np.linspace(0, 2 * np.pi, sides, endpoint=False)
    outline = np.stack([np.cos(turns), np.sin(turns)], axis=1) * size * 1.08
    bore = [(0.0, 0.0, size * rng.uniform(0.12, 0.3))] if rng.random() < 0.6 else []
    return outline.astype(np.float32), _holes(bore)


def _bracket(size: float, stretch: float, rng: np.random.Generator) -> tuple[Points, NDArray[np.float32]]:
    w, h = size * stretch * 1.1, size * 0.95
    leg = size * rng.uniform(0.8, 1.05)
    outline = np.array([[-w, -h], [w, -h], [w, -h + leg], [-w + leg * 1.1, -h + leg], [-w + leg * 1.1, h], [-w, h]])
    radius = size * 0.06
    inset = size * 0.17
    return outline.astype(np.float32), _holes([(w - inset, -h + leg / 2, radius), (-w + leg * 0.55, h - inset, radius)])


def _bar(size: float, stretch: float, rng: np.random.Generator) -> tuple[Points, NDArray[np.float32]]:
    half_width, half_height = size * stretch * 1.25, size * rng.uniform(0.5, 0.68)
    holes = [(sx * (half_width - size * 0.2), 0.0, size * 0.08) for sx in (-1, 1)]
    return _rounded(half_width, half_height, half_height * rng.uniform(0.1, 0.95)), _holes(holes)
