"""Places the planned defects on the parts and paints them."""

from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

from model_training.defect_areas import paint_dent, paint_stain
from model_training.defect_lines import paint_crack, paint_scratch
from model_training.defect_site import DefectSite
from model_training.defect_spots import paint_inclusion, paint_pit
from model_training.frame_distribution import DEFECT_CLASSES
from model_training.frame_plan import FramePlan, PlannedDefect
from model_training.patch import Canvas
from model_training.surface import SurfaceStyle

Points = NDArray[np.float32]
Painter = Callable[[Canvas, DefectSite, np.random.Generator], Points]
PAINTERS: dict[str, Painter] = {
    "scratch": paint_scratch,
    "pit": paint_pit,
    "crack": paint_crack,
    "dent": paint_dent,
    "stain": paint_stain,
    "inclusion": paint_inclusion,
}
CELL_PX = 8
GAP_PX = 10.0


def paint_defects(
    canvas: Canvas,
    plan: FramePlan,
    mask: NDArray[np.uint8],
    taken: NDArray[np.float32],
    style: SurfaceStyle,
    rng: np.random.Generator,
) -> list[tuple[int, Points]]:
    """Paint the defects of a plan where they fit, largest first.

    Args:
        canvas: the flat scene, changed in place.
        plan: what to paint.
        mask: (H, W) mask of the parts, 255 inside.
        taken: (K, 3) circles that stay free.
        style: material and light.
        rng: source of all further draws.

    Returns:
        Class index and contour (K, 2) of each defect painted. One that fits nowhere is made smaller, down to its
        smallest size, and then left out.
    """
    room = cv2.resize(mask, None, fx=1 / CELL_PX, fy=1 / CELL_PX, interpolation=cv2.INTER_AREA)
    free = np.where(room > 250, np.uint8(255), np.uint8(0))
    for x, y, radius in taken:
        _occupy(free, float(x), float(y), float(radius))
    painted = []
    for defect in sorted(plan.defects, key=lambda item: -item.extent_px):
        place = _find_place(free, defect, rng)
        if place is None:
            continue
        centre, extent_px = place
        site = DefectSite(centre, extent_px, defect.contrast, style.light, style.painted)
        contour = PAINTERS[DEFECT_CLASSES[defect.class_index]](canvas, site, rng)
        middle = (contour.min(axis=0) + contour.max(axis=0)) / 2
        reach = float(np.linalg.norm(contour - middle, axis=1).max())
        _occupy(free, float(middle[0]), float(middle[1]), reach + GAP_PX)
        painted.append((defect.class_index, contour))
    return painted


def _occupy(free: NDArray[np.uint8], x: float, y: float, radius: float) -> None:
    cv2.circle(free, (int(x / CELL_PX), int(y / CELL_PX)), int(radius / CELL_PX) + 1, (0,), -1)


def _find_place(
    free: NDArray[np.uint8], defect: PlannedDefect, rng: np.random.Generator
) -> tuple[Points, float] | None:
    bordered = cv2.copyMakeBorder(free, 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=(0,))
    distance = cv2.distanceTransform(bordered, cv2.DIST_L2, 3)[1:-1, 1:-1] * CELL_PX
    extent_px = defect.extent_px
    # Half a diagonal would be safe for every shape; 0.55 of the side lets long lines come near an edge.
    for shrink in (1.0, 0.7, 0.5):
        extent_px = max(defect.extent_px * shrink, 25.0)
        rows, columns = np.nonzero(distance > extent_px * 0.55 + 4)
        if len(rows):
            pick = int(rng.integers(len(rows)))
            corner = np.array([columns[pick], rows[pick]], np.float32) * CELL_PX
            return corner + rng.uniform(0, CELL_PX, 2).astype(np.float32), extent_px
    return None
