"""Things that look like defects and are none: dust, fibres, screws, engravings, pen marks, tool marks, belt debris."""

import cv2
import numpy as np
from numpy.typing import NDArray

from model_training.part_shapes import PartShape
from model_training.patch import Canvas, scale_window, window_around
from model_training.surface import SurfaceStyle

SUBPIXEL = 16


def paint_distractors(
    canvas: Canvas,
    parts: tuple[PartShape, ...],
    mask: NDArray[np.uint8],
    style: SurfaceStyle,
    rng: np.random.Generator,
) -> NDArray[np.float32]:
    """Paint a random choice of distractors on parts (where `mask` is 255) and belt, in place.

    Returns:
        (K, 3) circles x, y, radius that no defect should cover (screws, engravings).
    """
    taken: list[tuple[float, float, float]] = []
    for part in parts:
        for chance, paint in ((0.35, _screw), (0.3, _engraving), (0.3, _blind_hole), (0.25, _glare)):
            x, y = _inside(part, rng, 0.7)
            if rng.random() < chance and _covered(mask, x, y):
                taken.append(paint(canvas, x, y, style, rng))
    part = parts[int(rng.integers(len(parts)))]
    x, y = _inside(part, rng, 0.6)
    if rng.random() < 0.25:
        _tool_marks(canvas, mask, x, y, rng)
    x, y = _inside(part, rng, 0.6)
    if rng.random() < 0.25 and _covered(mask, x, y):
        _pen_mark(canvas, x, y, rng)
    _debris(canvas, rng)
    return np.array(taken, np.float32).reshape(-1, 3)


def paint_dust(canvas: Canvas, rng: np.random.Generator) -> None:
    """Scatter small specks (below the size of any defect) and curled fibres over the picture, in place."""
    height, width = canvas.shape[:2]
    for _ in range(int(rng.gamma(1.5, 14))):
        centre = (int(rng.uniform(0, width) * SUBPIXEL), int(rng.uniform(0, height) * SUBPIXEL))
        level = float(rng.uniform(120, 235) if rng.random() < 0.7 else rng.uniform(15, 60))
        axes = (int(rng.uniform(0.8, 4.5) * SUBPIXEL), int(rng.uniform(0.8, 3.0) * SUBPIXEL))
        cv2.ellipse(canvas, centre, axes, float(rng.uniform(0, 180)), 0, 360, (level, level, level), -1, cv2.LINE_AA, 4)
    for _ in range(int(rng.poisson(1.2))):
        _fibre(canvas, rng)


def _fibre(canvas: Canvas, rng: np.random.Generator) -> None:
    height, width = canvas.shape[:2]
    turns = np.cumsum(rng.normal(0, 0.42, 22)) + rng.uniform(0, 2 * np.pi)
    step = rng.uniform(1.8, 5.0)
    path = np.cumsum(np.stack([np.cos(turns), np.sin(turns)], axis=1) * step, axis=0)
    path += [rng.uniform(0, width), rng.uniform(0, height)]
    level = float(rng.uniform(130, 230))
    tint = (level, level * rng.uniform(0.92, 1.0), level * rng.uniform(0.9, 1.0))
    cv2.polylines(canvas, [np.round(path * SUBPIXEL).astype(np.int32)], False, tint, 1, cv2.LINE_AA, 4)


def _inside(part: PartShape, rng: np.random.Generator, reach: float) -> tuple[float, float]:
    corner = part.outline[int(rng.integers(len(part.outline)))]
    place = part.centre + (corner - part.centre) * rng.uniform(0.2, reach)
    return float(place[0]), float(place[1])


def _covered(mask: NDArray[np.uint8], x: float, y: float) -> bool:
    around = mask[max(int(y) - 30, 0) : int(y) + 30, max(int(x) - 45, 0) : int(x) + 45]
    return around.size > 0 and bool(around.min() == 255)


def _screw(
    canvas: Canvas, x: float, y: float, style: SurfaceStyle, rng: np.random.Generator
) -> tuple[float, float, float]:
    radius = float(rng.uniform(13, 30))
    level = float(rng.uniform(110, 190)) * style.light_level
    centre = (int(x * SUBPIXEL), int(y * SUBPIXEL))
    cv2.circle(canvas, centre, int((radius + 3) * SUBPIXEL), (level * 0.35,) * 3, -1, cv2.LINE_AA, 4)
    cv2.circle(canvas, centre, int(radius * SUBPIXEL), (level * 0.97, level, level), -1, cv2.LINE_AA, 4)
    glint = (int((x + style.light[0] * radius * 0.3) * SUBPIXEL), int((y + style.light[1] * radius * 0.3) * SUBPIXEL))
    cv2.circle(canvas, glint, int(radius * 0.5 * SUBPIXEL), (min(level * 1.2, 255.0),) * 3, -1, cv2.LINE_AA, 4)
    angle = rng.uniform(0, np.pi)
    for turn in (0.0, np.pi / 2)[: int(rng.integers(1, 3))]:
        dx, dy = np.cos(angle + turn) * radius * 0.7, np.sin(angle + turn) * radius * 0.7
        start = (int((x - dx) * SUBPIXEL), int((y - dy) * SUBPIXEL))
        end = (int((x + dx) * SUBPIXEL), int((y + dy) * SUBPIXEL))
        cv2.line(canvas, start, end, (level * 0.3,) * 3, 4, cv2.LINE_AA, 4)
    return x, y, radius + 6


def _blind_hole(
    canvas: Canvas, x: float, y: float, style: SurfaceStyle, rng: np.random.Generator
) -> tuple[float, float, float]:
    """A drilled hole of the drawing: as dark as a pit, but evenly so and exactly round."""
    radius = float(rng.uniform(9, 19))
    centre = (int(x * SUBPIXEL), int(y * SUBPIXEL))
    chamfer = tuple(float(min(c * 1.2 * style.light_level, 255.0)) for c in style.part_bgr)
    floor = tuple(float(c * 0.22 * style.light_level) for c in style.part_bgr)
    cv2.circle(canvas, centre, int(radius * SUBPIXEL), chamfer, -1, cv2.LINE_AA, 4)
    cv2.circle(canvas, centre, int((radius - 3) * SUBPIXEL), floor, -1, cv2.LINE_AA, 4)
    return x, y, radius + 4


def _glare(
    canvas: Canvas, x: float, y: float, _style: SurfaceStyle, rng: np.random.Generator
) -> tuple[float, float, float]:
    """A small soft reflection: bright like the lit side of a dent, without its dark side."""
    reach = float(rng.uniform(25, 70))
    centre = np.array([[x, y]], np.float32)
    window = window_around(centre, reach * 1.5, canvas)
    xs, ys = window.grid()
    squared = ((xs - x) ** 2 + ((ys - y) * float(rng.uniform(1.0, 2.0))) ** 2) / (reach / 2) ** 2
    scale_window(canvas, window, (1.0 + float(rng.uniform(0.15, 0.5)) * np.exp(-0.5 * squared)).astype(np.float32))
    return x, y, 12.0


def _engraving(
    canvas: Canvas, x: float, y: float, style: SurfaceStyle, rng: np.random.Generator
) -> tuple[float, float, float]:
    text = "".join(rng.choice(list("ABCDEFHKLMNPRSTX0123456789-"), int(rng.integers(3, 7))))
    scale = float(rng.uniform(0.8, 1.5))
    (width, height), _ = cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, scale, 2)
    origin = (int(x - width / 2), int(y + height / 2))
    dark = tuple(float(c * 0.5 * style.light_level) for c in style.part_bgr)
    lit = tuple(float(min(c * 1.25 * style.light_level, 255.0)) for c in style.part_bgr)
    shadow_origin = (origin[0] - round(float(style.light[0]) * 2), origin[1] - round(float(style.light[1]) * 2))
    cv2.putText(canvas, text, shadow_origin, cv2.FONT_HERSHEY_SIMPLEX, scale, lit, 2, cv2.LINE_AA)
    cv2.putText(canvas, text, origin, cv2.FONT_HERSHEY_SIMPLEX, scale, dark, 2, cv2.LINE_AA)
    return x, y, width / 2 + 6


def _tool_marks(canvas: Canvas, mask: NDArray[np.uint8], x: float, y: float, rng: np.random.Generator) -> None:
    """Faint parallel grooves across the part: regular where a scratch is single."""
    angle = rng.uniform(0, np.pi)
    length, gap = rng.uniform(60, 170), rng.uniform(9, 18)
    along, across = np.array([np.cos(angle), np.sin(angle)]), np.array([-np.sin(angle), np.cos(angle)])
    overlay = canvas.copy()
    for number in range(int(rng.integers(5, 11))):
        middle = np.array([x, y]) + across * gap * number
        start, end = (middle - along * length) * SUBPIXEL, (middle + along * length) * SUBPIXEL
        level = canvas[int(np.clip(middle[1], 0, 959)), int(np.clip(middle[0], 0, 1279))] * 1.25
        colour = (float(level[0]), float(level[1]), float(level[2]))
        cv2.line(overlay, (int(start[0]), int(start[1])), (int(end[0]), int(end[1])), colour, 1, cv2.LINE_AA, 4)
    # Grooves end with the part: outside of the mask the picture stays.
    cv2.copyTo(cv2.addWeighted(overlay, 0.6, canvas, 0.4, 0), mask, canvas)


def _pen_mark(canvas: Canvas, x: float, y: float, rng: np.random.Generator) -> None:
    """A tick of an inspector's felt pen: saturated, of even width."""
    size = rng.uniform(18, 45)
    path = np.array([[x - size * 0.5, y], [x, y + size * 0.5], [x + size, y - size * 0.8]])
    colours = ((200, 60, 20), (30, 160, 30), (30, 30, 210))
    colour = colours[int(rng.integers(len(colours)))]
    cv2.polylines(canvas, [np.round(path * SUBPIXEL).astype(np.int32)], False, colour, 6, cv2.LINE_AA, 4)


def _debris(canvas: Canvas, rng: np.random.Generator) -> None:
    """Chips of metal near the rim of the picture, on the belt."""
    height, width = canvas.shape[:2]
    for _ in range(int(rng.poisson(2.0))):
        side = rng.integers(4)
        x = rng.uniform(0, width) if side < 2 else (rng.uniform(0, 60) if side == 2 else width - rng.uniform(0, 60))
        y = rng.uniform(0, height) if side >= 2 else (rng.uniform(0, 50) if side == 0 else height - rng.uniform(0, 50))
        corners = np.array([x, y]) + rng.normal(0, rng.uniform(3, 9), (5, 2))
        level = float(rng.uniform(70, 190))
        cv2.fillConvexPoly(
            canvas, cv2.convexHull(np.round(corners * SUBPIXEL).astype(np.int32)), (level,) * 3, cv2.LINE_AA, 4
        )
