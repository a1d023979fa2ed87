"""Labels of a synthetic frame: contours of defects, through the camera, to boxes."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class DefectLabel:
    """One labelled defect.

    Attributes:
        class_index: place in `DEFECT_CLASSES`.
        box_xyxy: x1, y1, x2, y2 in frame pixels.
    """

    class_index: int
    box_xyxy: tuple[float, float, float, float]


def box_of_contour(
    contour: NDArray[np.float32], homography: NDArray[np.float64], *, frame_wh: tuple[int, int], min_side_px: float
) -> tuple[float, float, float, float]:
    """Bounding box of a contour seen through the camera.

    Args:
        contour: (K, 2) points on the flat scene.
        homography: (3, 3) from the flat scene to the frame.
        frame_wh: frame size; boxes are clipped to it.
        min_side_px: thinner boxes are widened to this side around their centre, before clipping.

    Returns:
        x1, y1, x2, y2 in frame pixels.
    """
    points = cv2.perspectiveTransform(contour.reshape(-1, 1, 2).astype(np.float64), homography).reshape(-1, 2)
    low, high = points.min(axis=0), points.max(axis=0)
    centre = (low + high) / 2
    half = np.maximum((high - low) / 2, min_side_px / 2)
    limit = np.array(frame_wh, np.float64)
    x1, y1 = np.clip(centre - half, 0, limit)
    x2, y2 = np.clip(centre + half, 0, limit)
    return float(x1), float(y1), float(x2), float(y2)
