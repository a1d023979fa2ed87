"""Painters of area defects: dents (smooth shading, no colour) and stains (colour film with a soft, irregular edge)."""

import cv2
import numpy as np
from numpy.typing import NDArray

from model_training.defect_site import DefectSite
from model_training.patch import Canvas, Field, scale_window, window_around

Points = NDArray[np.float32]
STAIN_FILMS_BGR = ((0.42, 0.62, 0.80), (0.30, 0.50, 0.82), (0.85, 0.74, 0.62), (0.55, 0.58, 0.60), (0.48, 0.78, 0.72))


def paint_dent(canvas: Canvas, site: DefectSite, rng: np.random.Generator) -> Points:
    """Paint a dent: the slope of a Gaussian bowl lit from one side. Returns its contour, (K, 2)."""
    squeeze = float(rng.uniform(0.55, 1.0))
    turn = float(rng.uniform(0, np.pi))
    outline = _ellipse(site, squeeze, turn)
    window = window_around(outline, site.extent_px * 0.2, canvas)
    xs, ys = window.grid()
    dx, dy = xs - site.centre[0], ys - site.centre[1]
    sigma_u = site.extent_px / 2 / 1.9
    u = (dx * np.cos(turn) + dy * np.sin(turn)) / sigma_u
    v = (-dx * np.sin(turn) + dy * np.cos(turn)) / (sigma_u * squeeze)
    bowl = np.exp(-0.5 * (u * u + v * v))
    light_u = site.light[0] * np.cos(turn) + site.light[1] * np.sin(turn)
    light_v = -site.light[0] * np.sin(turn) + site.light[1] * np.cos(turn)
    slope = bowl * (u * light_u + v * light_v) * 1.65
    gain = 1.0 - site.contrast * (0.52 * slope + 0.10 * bowl)
    glint = np.clip(-slope - 0.55, 0, 1) * site.contrast * (0.2 if site.painted else 0.6)
    scale_window(canvas, window, np.maximum(gain + glint, 0.1).astype(np.float32))
    return outline


def paint_stain(canvas: Canvas, site: DefectSite, rng: np.random.Generator) -> Points:
    """Paint a stain: a coloured film in an irregular blob with a darker drying rim. Returns its contour, (K, 2)."""
    square = np.array([[-1, -1], [1, 1]], np.float32) * (site.extent_px * 0.75) + site.centre
    window = window_around(square, 0.0, canvas)
    field = _blob(window.shape, window.local(site.centre[None])[0], site.extent_px, rng)
    level = _level_for_extent(field, site.extent_px)
    steep = float(rng.uniform(5.0, 16.0))
    cover = np.clip((field - level) * steep + 0.5, 0, 1)
    rim = np.exp(-(((field - level) * steep * 0.55 - 0.5) ** 2))
    patches = np.clip(0.72 + 0.35 * _noise(window.shape, 7, rng), 0.2, 1.0)
    film = np.array(STAIN_FILMS_BGR[int(rng.integers(len(STAIN_FILMS_BGR)))], np.float32)
    strength = (site.contrast * (cover * patches * 0.85 + 0.35 * rim * cover))[:, :, None]
    scale_window(canvas, window, np.clip(1.0 - strength * (1.0 - film), 0.12, 1.2).astype(np.float32))
    rows, columns = np.nonzero(field > level)
    if len(rows) == 0:
        return (square * 0.5 + site.centre * 0.5).astype(np.float32)
    points = np.array([[columns.min(), rows.min()], [columns.max() + 1, rows.max() + 1]], np.float32)
    return points + np.array([window.left, window.top], np.float32)


def _ellipse(site: DefectSite, squeeze: float, turn: float) -> Points:
    angles = np.linspace(0, 2 * np.pi, 24, endpoint=False)
    u, v = np.cos(angles) * site.extent_px / 2, np.sin(angles) * site.extent_px / 2 * squeeze
    x = site.centre[0] + u * np.cos(turn) - v * np.sin(turn)
    y = site.centre[1] + u * np.sin(turn) + v * np.cos(turn)
    return np.asarray(np.stack([x, y], axis=1), dtype=np.float32)


def _noise(shape: tuple[int, int], cells: int, rng: np.random.Generator) -> Field:
    small = rng.standard_normal((cells, cells), dtype=np.float32)
    return np.asarray(cv2.resize(small, (shape[1], shape[0]), interpolation=cv2.INTER_CUBIC), dtype=np.float32)


def _blob(shape: tuple[int, int], centre: Points, extent_px: float, rng: np.random.Generator) -> Field:
    xs = (np.arange(shape[1], dtype=np.float32)[None, :] - centre[0]) / (extent_px / 2)
    ys = (np.arange(shape[0], dtype=np.float32)[:, None] - centre[1]) / (extent_px / 2)
    squeeze = rng.uniform(0.6, 1.0)
    turn = rng.uniform(0, np.pi)
    u = xs * np.cos(turn) + ys * np.sin(turn)
    v = (-xs * np.sin(turn) + ys * np.cos(turn)) / squeeze
    distance = np.sqrt(u * u + v * v)
    wobble = 0.16 * _noise(shape, 5, rng) + 0.05 * _noise(shape, 12, rng)
    # Far from the centre the noise fades, so that the blob never grows islands.
    return np.asarray(1.0 - distance + wobble * np.clip(1.6 - distance, 0, 1), dtype=np.float32)


def _level_for_extent(field: Field, extent_px: float) -> float:
    low, high = -0.4, 0.8
    for _ in range(9):
        middle = (low + high) / 2
        inside = field > middle
        columns, rows = np.flatnonzero(inside.any(axis=0)), np.flatnonzero(inside.any(axis=1))
        side = max(np.ptp(columns) if len(columns) else 0, np.ptp(rows) if len(rows) else 0)
        low, high = (middle, high) if side > extent_px else (low, middle)
    return (low + high) / 2
