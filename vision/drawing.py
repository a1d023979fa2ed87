"""Detections drawn on a frame, for people."""

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from vision.decode import Pixels

_PALETTE_RGB = (
    (230, 25, 75),
    (60, 180, 75),
    (255, 200, 25),
    (30, 110, 230),
    (245, 130, 48),
    (145, 30, 180),
    (70, 210, 230),
    (240, 50, 230),
    (188, 230, 20),
    (0, 128, 128),
    (154, 99, 36),
    (128, 0, 0),
)
_FONT = cv2.FONT_HERSHEY_SIMPLEX


def class_color(class_index: int) -> tuple[int, int, int]:
    """The RGB colour of a class; neighbours differ clearly."""
    return _PALETTE_RGB[class_index % len(_PALETTE_RGB)]


def draw_detections(
    rgb: Pixels,
    boxes_xyxy: NDArray[np.float32],
    scores: NDArray[np.float32],
    class_indices: NDArray[np.integer[Any]],
    labels: Sequence[str],
) -> Pixels:
    """Draw boxes with label and score, the best on top.

    Args:
        rgb: (height, width, 3), left as it is.
        boxes_xyxy: (N, 4) in pixels of the frame.
        scores: (N,).
        class_indices: (N,).
        labels: names of the classes; a class without one is drawn by its number.

    Returns:
        (height, width, 3), a new array.
    """
    canvas = np.ascontiguousarray(rgb).copy()
    unit = max(canvas.shape[0], canvas.shape[1]) / 1000
    for at in np.argsort(scores, kind="stable"):
        index = int(class_indices[at])
        name = labels[index] if 0 <= index < len(labels) else str(index)
        _draw_one(canvas, boxes_xyxy[at], f"{name} {scores[at]:.2f}", class_color(index), unit)
    return canvas


def draw_label(rgb: Pixels, text: str, class_index: int) -> Pixels:
    """Write a line into the upper left corner, on the colour of a class.

    Args:
        rgb: (height, width, 3), left as it is.
        text: what is written, in ASCII.
        class_index: of the colour.

    Returns:
        (height, width, 3), a new array.
    """
    canvas = np.ascontiguousarray(rgb).copy()
    unit = max(canvas.shape[0], canvas.shape[1]) / 1000
    _draw_text(canvas, (0, 0), text, class_color(class_index), 2 * unit)
    return canvas


def _draw_one(canvas: Pixels, box: NDArray[np.float32], text: str, color: tuple[int, int, int], unit: float) -> None:
    thickness = max(1, round(2 * unit))
    x1, y1, x2, y2 = (round(float(edge)) for edge in box)
    cv2.rectangle(canvas, (x1, y1), (x2, y2), color, thickness)
    _draw_text(canvas, (x1, y1), text, color, unit)


def _draw_text(canvas: Pixels, at: tuple[int, int], text: str, color: tuple[int, int, int], unit: float) -> None:
    """On a filled box that stands on ``at``, or hangs from it where there is no room above."""
    x1, y1 = at
    scale, weight = max(0.4, 0.55 * unit), max(1, round(1.2 * unit))
    (width, height), below = cv2.getTextSize(text, _FONT, scale, weight)
    pad = max(2, round(2 * unit))
    left = max(0, min(x1, canvas.shape[1] - width - 2 * pad))
    bottom = y1 if y1 >= height + below + 2 * pad else y1 + height + below + 2 * pad
    cv2.rectangle(
        canvas, (left, bottom - height - below - 2 * pad), (left + width + 2 * pad, bottom), color, cv2.FILLED
    )
    ink = (0, 0, 0) if 0.299 * color[0] + 0.587 * color[1] + 0.114 * color[2] > 140 else (255, 255, 255)
    cv2.putText(canvas, text, (left + pad, bottom - below - pad), _FONT, scale, ink, weight, cv2.LINE_AA)
