"""Light augmentation of a batch: flips, brightness and contrast, small shift and scale."""

import cv2
import numpy as np
from numpy.typing import NDArray

PAD_VALUE = (114, 114, 114)
MIN_SIDE_PX = 3.0
MIN_KEPT_SHARE = 0.5

Labels = tuple[NDArray[np.float32], NDArray[np.int64]]


def augment_frame(
    image: NDArray[np.uint8], boxes_xyxy: NDArray[np.float32], classes: NDArray[np.int64], rng: np.random.Generator
) -> tuple[NDArray[np.uint8], NDArray[np.float32], NDArray[np.int64]]:
    """Return a changed copy of a picture (H, W, 3) and of its labels, without boxes that mostly left the picture."""
    matrix = _matrix(image.shape[1], image.shape[0], rng)
    size = (image.shape[1], image.shape[0])
    if np.array_equal(np.abs(matrix[:, :2]), np.eye(2)):
        moved = _flipped(image, matrix)
    else:
        moved = np.asarray(cv2.warpAffine(image, matrix, size, borderValue=PAD_VALUE), dtype=np.uint8)
    gain, offset = rng.uniform(0.75, 1.25), rng.uniform(-18, 18)
    lit = np.asarray(cv2.convertScaleAbs(moved, alpha=gain, beta=max(offset, 0.0)), dtype=np.uint8)
    if rng.random() < 0.1:
        lit = np.repeat(np.asarray(cv2.cvtColor(lit, cv2.COLOR_RGB2GRAY))[:, :, None], 3, axis=2)
    boxes, kept = _moved_boxes(boxes_xyxy, matrix, size)
    return lit, boxes[kept], classes[kept]


def _matrix(width: int, height: int, rng: np.random.Generator) -> NDArray[np.float64]:
    flip_x, flip_y = (-1.0 if rng.random() < 0.5 else 1.0), (-1.0 if rng.random() < 0.5 else 1.0)
    scale, shift = 1.0, np.zeros(2)
    if rng.random() < 0.5:
        scale = float(rng.uniform(0.85, 1.2))
        shift = rng.uniform(-0.06, 0.06, 2) * [width, height]
    matrix = np.array([[flip_x * scale, 0.0, 0.0], [0.0, flip_y * scale, 0.0]])
    middle = np.array([width / 2, height / 2])
    matrix[:, 2] = middle + shift - matrix[:, :2] @ middle
    return matrix


def _flipped(image: NDArray[np.uint8], matrix: NDArray[np.float64]) -> NDArray[np.uint8]:
    columns, rows = int(matrix[0, 0]), int(matrix[1, 1])
    return np.ascontiguousarray(image[::rows, ::columns])


def _moved_boxes(
    boxes_xyxy: NDArray[np.float32], matrix: NDArray[np.float64], size_wh: tuple[int, int]
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    corners = boxes_xyxy.reshape(-1, 2, 2) @ matrix[:, :2].T + matrix[:, 2]
    low, high = corners.min(axis=1), corners.max(axis=1)
    area = (high - low).prod(axis=1)
    limit = np.array(size_wh, np.float64)
    low, high = np.clip(low, 0, limit), np.clip(high, 0, limit)
    sides = high - low
    kept = (sides.min(axis=1) >= MIN_SIDE_PX) & (sides.prod(axis=1) >= MIN_KEPT_SHARE * area)
    return np.concatenate([low, high], axis=1).astype(np.float32), kept
