"""Local edits of a picture: a window is read as float, changed, and written back with saturation."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Canvas = NDArray[np.uint8]
Field = NDArray[np.float32]


@dataclass(frozen=True)
class Window:
    """A rectangle of the canvas: left, top, and the far edges, all inside the picture."""

    left: int
    top: int
    right: int
    bottom: int

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return self.bottom - self.top, self.right - self.left

    def local(self, points: NDArray[np.float32]) -> NDArray[np.float32]:
        """Points of the canvas, (K, 2), in window coordinates."""
        return points - np.array([self.left, self.top], np.float32)

    def grid(self) -> tuple[Field, Field]:
        """Coordinates x (1, W) and y (H, 1) of the pixels, in canvas coordinates."""
        xs = np.arange(self.left, self.right, dtype=np.float32)[None, :]
        ys = np.arange(self.top, self.bottom, dtype=np.float32)[:, None]
        return xs, ys


def window_around(points: NDArray[np.float32], margin: float, canvas: Canvas) -> Window:
    """The window that holds all points and a margin, clipped to the canvas and never empty."""
    height, width = canvas.shape[:2]
    low = np.floor(points.min(axis=0) - margin).astype(int)
    high = np.ceil(points.max(axis=0) + margin).astype(int) + 1
    left, top = int(np.clip(low[0], 0, width - 2)), int(np.clip(low[1], 0, height - 2))
    right, bottom = int(np.clip(high[0], left + 2, width)), int(np.clip(high[1], top + 2, height))
    return Window(left, top, right, bottom)


def scale_window(canvas: Canvas, window: Window, gain: Field) -> None:
    """Multiply a window by a gain, (H, W) or (H, W, 3), in place."""
    view = canvas[window.top : window.bottom, window.left : window.right]
    factor = gain if gain.ndim == 3 else gain[:, :, None]
    np.copyto(view, np.clip(view * factor, 0, 255).astype(np.uint8))


def blend_window(canvas: Canvas, window: Window, alpha: Field, colour: Field | tuple[float, float, float]) -> None:
    """Blend a colour (BGR triple or (H, W, 3)) over a window with the weights alpha (H, W) in 0..1, in place."""
    view = canvas[window.top : window.bottom, window.left : window.right]
    weight = alpha[:, :, None]
    mixed = view * (1.0 - weight) + np.asarray(colour, np.float32) * weight
    np.copyto(view, np.clip(mixed, 0, 255).astype(np.uint8))
