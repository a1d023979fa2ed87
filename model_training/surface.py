"""Belt and parts: texture, colour, edges, holes, shadow and light, before any defect."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from model_training.part_shapes import PartShape
from model_training.patch import Canvas, Field
from model_training.texture_bank import TextureBank

METALS_BGR = ((178, 176, 174), (150, 152, 156), (196, 192, 186), (128, 158, 182), (120, 124, 130))
PAINTS_BGR = (
    (150, 92, 40), (52, 60, 168), (70, 128, 62), (44, 142, 190),
    (176, 172, 164), (92, 92, 96), (60, 106, 196), (140, 120, 58),
)  # fmt: skip
BELTS_BGR = ((44, 43, 42), (58, 62, 60), (70, 78, 60), (84, 70, 52), (38, 40, 46))


@dataclass(frozen=True)
class SurfaceStyle:
    """Material and light of one frame, drawn once.

    Attributes:
        painted: painted rather than bare metal.
        part_bgr, belt_bgr: base colours, 0..255.
        texture_gain: strength of the part's texture.
        light: (2,) unit vector towards the lamp.
        light_level: overall exposure.
    """

    painted: bool
    part_bgr: tuple[float, float, float]
    belt_bgr: tuple[float, float, float]
    texture_gain: float
    light: NDArray[np.float32]
    light_level: float


def draw_style(rng: np.random.Generator) -> SurfaceStyle:
    """Draw material, colours and lamp."""
    painted = bool(rng.random() < 0.5)
    palette = PAINTS_BGR if painted else METALS_BGR
    base = np.array(palette[int(rng.integers(len(palette)))]) * rng.uniform(0.85, 1.15) + rng.normal(0, 6, 3)
    belt = np.array(BELTS_BGR[int(rng.integers(len(BELTS_BGR)))]) * rng.uniform(0.8, 1.3)
    angle = rng.uniform(0, 2 * np.pi)
    return SurfaceStyle(
        painted=painted,
        part_bgr=(float(base[0]), float(base[1]), float(base[2])),
        belt_bgr=(float(belt[0]), float(belt[1]), float(belt[2])),
        texture_gain=float(rng.uniform(0.35, 1.0)),
        light=np.array([np.cos(angle), np.sin(angle)], np.float32),
        light_level=float(rng.uniform(0.72, 1.15)),
    )


def paint_scene(
    parts: tuple[PartShape, ...],
    style: SurfaceStyle,
    bank: TextureBank,
    rng: np.random.Generator,
    frame_wh: tuple[int, int],
) -> tuple[Canvas, NDArray[np.uint8]]:
    """Paint belt and parts.

    Returns:
        The picture (H, W, 3) BGR, and the mask of the parts without their holes (H, W), 0 or 255.
    """
    mask = part_mask(parts, frame_wh)
    light = _light_field(style, rng, frame_wh)
    shadow = _shadow(mask, style)
    belt = _crop(bank.belt, rng, frame_wh)
    belt_level = (0.55 + belt * np.float32(0.45 / 128)) * light * shadow
    part_level = _part_level(parts, style, bank, rng, frame_wh) * light + _specular(style, rng, frame_wh)
    weight = mask * np.float32(1 / 255)
    picture = _tinted(part_level, style.part_bgr), _tinted(belt_level, style.belt_bgr)
    canvas = np.ascontiguousarray(cv2.blendLinear(picture[0], picture[1], weight, 1.0 - weight), dtype=np.uint8)
    if rng.random() < 0.6:
        _rails(canvas, rng)
    for part in parts:
        _edges(canvas, part, style)
    return canvas, mask


def part_mask(parts: tuple[PartShape, ...], frame_wh: tuple[int, int]) -> NDArray[np.uint8]:
    """Smooth-edged mask of all parts with their holes cut out, (H, W)."""
    mask = np.zeros((frame_wh[1], frame_wh[0]), np.uint8)
    for part in parts:
        cv2.fillPoly(mask, [np.round(part.outline * 16).astype(np.int32)], (255,), cv2.LINE_AA, 4)
        for x, y, radius in part.holes * 16:
            cv2.circle(mask, (int(x), int(y)), int(radius), (0,), -1, cv2.LINE_AA, 4)
    return mask


def _tinted(level: Field, colour: tuple[float, float, float]) -> Canvas:
    planes = [cv2.convertScaleAbs(level, alpha=channel) for channel in colour]
    return np.asarray(cv2.merge(planes), dtype=np.uint8)


def _crop(texture: NDArray[np.uint8], rng: np.random.Generator, frame_wh: tuple[int, int]) -> NDArray[np.uint8]:
    top = int(rng.integers(texture.shape[0] - frame_wh[1]))
    left = int(rng.integers(texture.shape[1] - frame_wh[0]))
    return texture[top : top + frame_wh[1], left : left + frame_wh[0]]


def _rotated(texture: NDArray[np.uint8], angle: float, rng: np.random.Generator, frame_wh: tuple[int, int]) -> Canvas:
    zoom = float(rng.uniform(0.8, 1.4))
    turn = cv2.getRotationMatrix2D((texture.shape[1] / 2, texture.shape[0] / 2), -np.degrees(angle), zoom)
    matrix = np.asarray(turn, dtype=np.float64)
    matrix[:, 2] += [frame_wh[0] / 2 - texture.shape[1] / 2, frame_wh[1] / 2 - texture.shape[0] / 2]
    matrix[:, 2] += rng.uniform(-150, 150, 2)
    turned = cv2.warpAffine(texture, matrix, frame_wh, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)
    return np.asarray(turned, dtype=np.uint8)


def _part_level(
    parts: tuple[PartShape, ...],
    style: SurfaceStyle,
    bank: TextureBank,
    rng: np.random.Generator,
    frame_wh: tuple[int, int],
) -> Field:
    cloud = _crop(bank.cloud, rng, frame_wh)
    if style.painted:
        grain = _crop(bank.grain, rng, frame_wh)
        fine = np.float32(0.055 * style.texture_gain / 30)
    elif parts[0].turned:
        grain = _turned(parts, bank, rng, frame_wh)
        fine = np.float32(0.15 * style.texture_gain / 34)
    else:
        grain = _rotated(bank.brushed, parts[0].angle, rng, frame_wh)
        fine = np.float32(0.17 * style.texture_gain / 34)
    soft = np.float32(0.05 / 40)
    mixed = cv2.addWeighted(grain, float(fine), cloud, float(soft), float(1.0 - 128 * (fine + soft)), dtype=cv2.CV_32F)
    return np.asarray(mixed, dtype=np.float32)


def _turned(
    parts: tuple[PartShape, ...], bank: TextureBank, rng: np.random.Generator, frame_wh: tuple[int, int]
) -> NDArray[np.uint8]:
    # Rows of the polar picture are angles, so the texture is transposed: its streaks then run around the centre.
    offset = int(rng.integers(400))
    polar = np.ascontiguousarray(bank.brushed[offset : offset + 640, :1024].T)
    canvas = np.full((frame_wh[1], frame_wh[0]), 128, np.uint8)
    for part in parts:
        radius = int(np.linalg.norm(part.outline - part.centre, axis=1).max()) + 2
        # Pixels beyond the circle keep what they were: given here, or they would be whatever the memory held.
        patch = np.full((2 * radius, 2 * radius), 128, np.uint8)
        cv2.warpPolar(polar, patch.shape, (radius, radius), radius, cv2.WARP_INVERSE_MAP | cv2.INTER_LINEAR, dst=patch)
        left, top = int(part.centre[0]) - radius, int(part.centre[1]) - radius
        x1, y1 = max(left, 0), max(top, 0)
        x2, y2 = min(left + 2 * radius, frame_wh[0]), min(top + 2 * radius, frame_wh[1])
        canvas[y1:y2, x1:x2] = patch[y1 - top : y2 - top, x1 - left : x2 - left]
    return canvas


def _light_field(style: SurfaceStyle, rng: np.random.Generator, frame_wh: tuple[int, int]) -> Field:
    ys, xs = np.mgrid[-1:1:30j, -1:1:40j].astype(np.float32)
    slope = float(rng.uniform(0.02, 0.22))
    fall = float(rng.uniform(0.0, 0.22))
    small = style.light_level * (1.0 + slope * (xs * style.light[0] + ys * style.light[1]) - fall * (xs**2 + ys**2) / 2)
    return np.asarray(cv2.resize(small.astype(np.float32), frame_wh, interpolation=cv2.INTER_LINEAR), dtype=np.float32)


def _specular(style: SurfaceStyle, rng: np.random.Generator, frame_wh: tuple[int, int]) -> Field:
    ys, xs = np.mgrid[0:960:60j, 0:1280:80j].astype(np.float32)
    total = np.zeros(xs.shape, np.float32)
    for _ in range(int(rng.integers(0, 4))):
        x, y = rng.uniform(0, 1280), rng.uniform(0, 960)
        angle = rng.uniform(0, np.pi)
        along, across = rng.uniform(90, 600), rng.uniform(35, 130)
        u = ((xs - x) * np.cos(angle) + (ys - y) * np.sin(angle)) / along
        v = (-(xs - x) * np.sin(angle) + (ys - y) * np.cos(angle)) / across
        total += np.float32(rng.uniform(0.06, 0.34 if style.painted else 0.45)) * np.exp(-0.5 * (u * u + v * v))
    return np.asarray(cv2.resize(total, frame_wh, interpolation=cv2.INTER_LINEAR), dtype=np.float32)


def _shadow(mask: NDArray[np.uint8], style: SurfaceStyle) -> Field:
    small = cv2.resize(mask, None, fx=0.125, fy=0.125, interpolation=cv2.INTER_AREA)
    offset = -style.light * 2.6
    moved = cv2.warpAffine(small, np.array([[1, 0, offset[0]], [0, 1, offset[1]]], np.float32), small.shape[::-1])
    soft = cv2.GaussianBlur(moved, (0, 0), 1.8).astype(np.float32) * np.float32(-0.62 / 255) + 1.0
    return np.asarray(cv2.resize(soft, mask.shape[::-1], interpolation=cv2.INTER_LINEAR), dtype=np.float32)


def _rails(canvas: Canvas, rng: np.random.Generator) -> None:
    height, width = canvas.shape[:2]
    thickness = int(rng.integers(16, 46))
    level = int(rng.integers(70, 150))
    profile = np.clip(level + 50 * np.sin(np.linspace(0, 3, thickness)) - np.linspace(0, 40, thickness), 20, 220)
    band = np.repeat(profile.astype(np.uint8)[:, None, None], 3, axis=2)
    canvas[:thickness] = band
    canvas[height - thickness :] = band[::-1]
    for x in range(int(rng.integers(0, 160)), width, int(rng.integers(150, 300))):
        cv2.circle(canvas, (x, thickness // 2), max(4, thickness // 5), (60, 60, 62), -1, cv2.LINE_AA)
        cv2.circle(canvas, (x, height - thickness // 2), max(4, thickness // 5), (60, 60, 62), -1, cv2.LINE_AA)


def _edges(canvas: Canvas, part: PartShape, style: SurfaceStyle) -> None:
    outline = part.outline
    following = np.roll(outline, -1, axis=0)
    normal = (outline + following) / 2 - part.centre
    normal /= np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-6)
    facing = normal @ style.light
    for first, last, lit in zip(outline, following, facing, strict=True):
        factor = 1.0 + 0.35 * float(lit)
        colour = tuple(float(np.clip(c * factor * style.light_level, 0, 255)) for c in style.part_bgr)
        start, end = np.round(first * 16).astype(int), np.round(last * 16).astype(int)
        cv2.line(canvas, (int(start[0]), int(start[1])), (int(end[0]), int(end[1])), colour, 4, cv2.LINE_AA, 4)
    for x, y, radius in part.holes:
        ring = tuple(float(c * 0.45 * style.light_level) for c in style.part_bgr)
        centre = (round(float(x) * 16), round(float(y) * 16))
        cv2.circle(canvas, centre, int(radius * 16), ring, 4, cv2.LINE_AA, 4)
        bright = tuple(float(np.clip(c * 1.3 * style.light_level, 0, 255)) for c in style.part_bgr)
        tilt = float(np.degrees(np.arctan2(-style.light[1], -style.light[0])))
        axes = (int(radius * 16), int(radius * 16))
        cv2.ellipse(canvas, centre, axes, 0, tilt - 60, tilt + 60, bright, 3, cv2.LINE_AA, 4)
