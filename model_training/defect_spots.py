"""Painters of spot-like defects: pits (craters with a lit rim) and inclusions (angular foreign particles)."""

import cv2
import numpy as np
from numpy.typing import NDArray

from model_training.defect_site import DefectSite
from model_training.patch import Canvas, Field, blend_window, scale_window, window_around

Points = NDArray[np.float32]
INCLUSION_TINTS_BGR = ((18, 20, 24), (28, 34, 58), (60, 52, 40), (30, 44, 40), (16, 26, 66))


def paint_pit(canvas: Canvas, site: DefectSite, rng: np.random.Generator) -> Points:
    """Paint one to three round craters, dark towards the lamp, lit on the far wall. Returns contour points, (K, 2)."""
    count = 1 if site.extent_px < 36 else int(rng.choice([1, 1, 2, 3]))
    craters = _craters(site, count, rng)
    ring = np.concatenate([_circle(x, y, radius) for x, y, radius in craters])
    window = window_around(ring, 6.0, canvas)
    xs, ys = window.grid()
    gain = np.ones(window.shape, np.float32)
    for x, y, radius in craters:
        gain = gain * _crater_gain((xs - x) / radius, (ys - y) / radius, site)
    scale_window(canvas, window, gain)
    return ring


def paint_inclusion(canvas: Canvas, site: DefectSite, rng: np.random.Generator) -> Points:
    """Paint an angular dark or tinted particle with sharp edges and a glint. Returns contour points, (K, 2)."""
    corners = int(rng.integers(5, 9))
    angles = np.sort(rng.uniform(0, 2 * np.pi, corners)) * 0.6 + np.linspace(0, 2 * np.pi, corners, False) * 0.4
    radii = rng.uniform(0.55, 1.0, corners)
    squeeze = rng.uniform(0.45, 1.0)
    shape = np.stack([np.cos(angles) * radii, np.sin(angles) * radii * squeeze], axis=1)
    turn = rng.uniform(0, np.pi)
    shape = shape @ np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    low, high = shape.min(axis=0), shape.max(axis=0)
    outline = ((shape - (low + high) / 2) * (site.extent_px / (high - low).max()) + site.centre).astype(np.float32)
    window = window_around(outline, 5.0, canvas)
    mask = np.zeros(window.shape, np.uint8)
    local = np.round(window.local(outline) * 16).astype(np.int32)
    cv2.fillPoly(mask, [local], (255,), cv2.LINE_AA, 4)
    body = mask.astype(np.float32) / 255.0
    lit = np.maximum(body - cv2.warpAffine(body, _move(-site.light * 2.0), body.shape[::-1]), 0)
    texture = 1.0 + 0.22 * rng.standard_normal(window.shape, dtype=np.float32)
    tint = np.array(INCLUSION_TINTS_BGR[int(rng.integers(len(INCLUSION_TINTS_BGR)))], np.float32)
    blend_window(canvas, window, body * (0.25 + 0.7 * site.contrast), tint * texture[:, :, None])
    scale_window(canvas, window, 1.0 + np.float32(0.9 * site.contrast) * lit)
    return np.asarray(outline, dtype=np.float32)


def _craters(site: DefectSite, count: int, rng: np.random.Generator) -> list[tuple[float, float, float]]:
    if count == 1:
        return [(float(site.centre[0]), float(site.centre[1]), site.extent_px / 2)]
    radius = site.extent_px / 4
    angle = rng.uniform(0, np.pi)
    places = np.linspace(-1, 1, count)
    reach = site.extent_px / 2 - radius
    return [
        (
            float(site.centre[0] + np.cos(angle) * reach * place),
            float(site.centre[1] + np.sin(angle) * reach * place),
            float(radius * rng.uniform(0.65, 1.0)),
        )
        for place in places
    ]


def _crater_gain(dx: Field, dy: Field, site: DefectSite) -> Field:
    distance = np.sqrt(dx * dx + dy * dy)
    inside = np.clip((1.0 - distance) * 6.0, 0, 1)
    towards_lamp = (dx * site.light[0] + dy * site.light[1]) * inside
    bowl = inside * (0.42 - 0.25 * distance)
    rim = np.exp(-(((distance - 1.04) / 0.13) ** 2)) * np.clip(dx * site.light[0] + dy * site.light[1], 0, 1)
    gain = 1.0 - site.contrast * (bowl + 0.62 * towards_lamp)
    return np.asarray(np.maximum(gain + site.contrast * 0.35 * rim, 0.08), dtype=np.float32)


def _circle(x: float, y: float, radius: float) -> Points:
    turns = np.linspace(0, 2 * np.pi, 16, endpoint=False)
    circle = np.stack([x + radius * np.cos(turns), y + radius * np.sin(turns)], axis=1)
    return np.asarray(circle, dtype=np.float32)


def _move(offset: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.array([[1, 0, offset[0]], [0, 1, offset[1]]], np.float32)
