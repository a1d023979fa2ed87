"""Painters of line-like defects: scratches (smooth, bright against a dark lip) and cracks (jagged, dark, branching)."""

import cv2
import numpy as np
from numpy.typing import NDArray

from model_training.defect_site import DefectSite
from model_training.patch import Canvas, Field, Window, scale_window, window_around

SUBPIXEL_BITS = 4
Points = NDArray[np.float32]


def paint_scratch(canvas: Canvas, site: DefectSite, rng: np.random.Generator) -> Points:
    """Paint a scratch: one to three smooth, tapering strands. Returns its contour points, (K, 2)."""
    angle = rng.uniform(0, np.pi)
    bend = rng.normal(0, 0.12) * site.extent_px
    beside = int(rng.choice([0, 0, 1, 2])) if site.extent_px > 90 else 0
    strands = [_strand(site, angle, bend, 0.0)]
    strands += [
        _strand(site, angle + rng.normal(0, 0.03), bend, float(rng.uniform(5, 12) * rng.choice([-1, 1])))
        for _ in range(beside)
    ]
    points = np.concatenate(strands)
    window = window_around(points, 8.0, canvas)
    thickness = int(rng.integers(1, 4)) if site.extent_px < 150 else int(rng.integers(2, 5))
    core = _draw(window, strands, thickness, rng, patchy=0.22)
    lip = cv2.warpAffine(core, _shift(-site.light * (thickness * 0.9)), (core.shape[1], core.shape[0]))
    dark_core = site.painted and rng.random() < 0.3
    sign = -0.75 if dark_core else 1.15 if site.painted else 0.95
    gain = 1.0 + site.contrast * (sign * core - (0.0 if dark_core else 0.55) * lip)
    scale_window(canvas, window, np.maximum(gain, 0.1).astype(np.float32))
    return points


def paint_crack(canvas: Canvas, site: DefectSite, rng: np.random.Generator) -> Points:
    """Paint a crack: a jagged dark walk with branches and thin ends. Returns its contour points, (K, 2)."""
    angle = rng.uniform(0, 2 * np.pi)
    walks = [_walk(np.zeros(2, np.float32), angle, 1.0, rng)]
    for _ in range(int(rng.integers(1, 4))):
        start = walks[0][int(rng.integers(3, len(walks[0]) - 3))]
        turn = rng.choice([-1, 1]) * rng.uniform(0.5, 1.1)
        walks.append(_walk(start, angle + turn, float(rng.uniform(0.15, 0.35)), rng))
    raw = np.concatenate(walks)
    low, high = raw.min(axis=0), raw.max(axis=0)
    factor = site.extent_px / float((high - low).max())
    walks = [(walk - (low + high) / 2) * factor + site.centre for walk in walks]
    points = np.concatenate(walks).astype(np.float32)
    window = window_around(points, 8.0, canvas)
    thickness = 2 if site.extent_px < 110 else int(rng.integers(2, 5))
    core = np.maximum(
        _draw(window, walks[:1], thickness, rng, patchy=0.1),
        _draw(window, walks[1:], max(1, thickness - 1), rng, patchy=0.1),
    )
    rim = cv2.warpAffine(core, _shift(-site.light * (thickness + 0.5)), (core.shape[1], core.shape[0]))
    gain = 1.0 - site.contrast * 0.9 * core + site.contrast * 0.3 * np.maximum(rim - core, 0)
    scale_window(canvas, window, np.maximum(gain, 0.08).astype(np.float32))
    return points


def _strand(site: DefectSite, angle: float, bend: float, offset: float) -> Points:
    along = np.array([np.cos(angle), np.sin(angle)])
    across = np.array([-along[1], along[0]])
    t = np.linspace(-1, 1, 41)
    chord = t[:, None] * along + (1 - t[:, None] ** 2) * across * (bend / max(site.extent_px / 2, 1.0))
    size = (chord.max(axis=0) - chord.min(axis=0)).max()
    centred = chord - (chord.max(axis=0) + chord.min(axis=0)) / 2
    return np.asarray(centred * (site.extent_px / size) + site.centre + across * offset, dtype=np.float32)


def _walk(start: Points, angle: float, length: float, rng: np.random.Generator) -> Points:
    steps = max(6, int(26 * length))
    turns = angle + np.cumsum(rng.normal(0, 0.16, steps)) + rng.normal(0, 0.55, steps)
    strides = rng.uniform(0.5, 1.5, steps) * (length / steps)
    path = np.cumsum(np.stack([np.cos(turns) * strides, np.sin(turns) * strides], axis=1), axis=0)
    return np.asarray(np.concatenate([start[None], start + path]), dtype=np.float32)


def _draw(window: Window, lines: list[Points], thickness: int, rng: np.random.Generator, *, patchy: float) -> Field:
    mask = np.zeros(window.shape, np.uint8)
    for line in lines:
        fixed = np.round(window.local(line.astype(np.float32)) * (1 << SUBPIXEL_BITS)).astype(np.int32)
        taper = np.sin(np.linspace(0.12, np.pi - 0.12, len(fixed) - 1)) ** 0.4
        strength = np.clip(taper * (1.0 + _drift(rng, len(fixed) - 1, patchy)), 0.15, 1.0)
        for first, last, level in zip(fixed[:-1], fixed[1:], strength, strict=True):
            value = int(255 * level)
            cv2.line(
                mask,
                (int(first[0]), int(first[1])),
                (int(last[0]), int(last[1])),
                (value,),
                thickness if level > 0.6 else max(1, thickness - 1),
                cv2.LINE_AA,
                SUBPIXEL_BITS,
            )
    return np.asarray(cv2.GaussianBlur(mask, (3, 3), 0.7), dtype=np.float32) / 255.0


def _drift(rng: np.random.Generator, count: int, deviation: float) -> NDArray[np.float64]:
    steps = rng.normal(0, deviation, count + 4)
    return np.asarray(np.convolve(steps, np.full(5, 0.5), mode="valid"), dtype=np.float64)


def _shift(offset: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.array([[1, 0, offset[0]], [0, 1, offset[1]]], np.float32)
