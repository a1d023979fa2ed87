from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

from vision.frame_statistics import frame_statistics

Pixels = NDArray[np.uint8]


def test_one_grey_level_has_no_entropy_and_no_edges() -> None:
    found = frame_statistics(np.full((48, 64, 3), 77, np.uint8))
    assert (found.brightness, found.sharpness, found.entropy_bits) == (77.0, 0.0, 0.0)


def test_darker_and_blurred_frames_are_told_apart(scene: Callable[..., Pixels]) -> None:
    frame = scene(640, 480)
    plain = frame_statistics(frame)
    dark = frame_statistics((frame * 0.6).astype(np.uint8))
    blurred = frame_statistics(np.asarray(cv2.GaussianBlur(frame, (0, 0), 4.0), np.uint8))
    assert dark.brightness < 0.65 * plain.brightness
    assert blurred.sharpness < plain.sharpness - 1
    assert abs(blurred.brightness - plain.brightness) < 2
    assert 0 < plain.entropy_bits <= 8


def test_cameras_of_different_resolution_can_be_compared(scene: Callable[..., Pixels]) -> None:
    large = scene(1280, 960)
    small = np.asarray(cv2.resize(large, (640, 480), interpolation=cv2.INTER_AREA), np.uint8)
    first, second = frame_statistics(large), frame_statistics(small)
    assert abs(first.sharpness - second.sharpness) < 0.1
    assert abs(first.entropy_bits - second.entropy_bits) < 0.05
