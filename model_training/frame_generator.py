"""Procedural frames of metal parts on a conveyor belt: a frame is a pure function of (seed, index)."""

from dataclasses import dataclass

import numpy as np
import simplejpeg
from numpy.typing import NDArray

from model_training.camera import draw_homography, photograph
from model_training.defects import paint_defects
from model_training.distractors import paint_distractors, paint_dust
from model_training.frame_distribution import (
    DISTRIBUTION,
    FRAME_HEIGHT,
    FRAME_WIDTH,
    GENERATOR_VERSION,
    FrameDistribution,
)
from model_training.frame_plan import FramePlan, plan_frame
from model_training.labels import DefectLabel, box_of_contour
from model_training.part_shapes import draw_parts
from model_training.surface import draw_style, paint_scene
from model_training.texture_bank import texture_bank


@dataclass(frozen=True)
class SyntheticFrame:
    """One frame with its truth.

    Attributes:
        bgr: (960, 1280, 3) picture.
        labels: the defects painted.
        plan: what the frame was drawn to be.
    """

    bgr: NDArray[np.uint8]
    labels: tuple[DefectLabel, ...]
    plan: FramePlan

    def jpeg(self) -> bytes:
        """The frame as the camera sends it: JPEG 4:2:0 of the planned quality."""
        encoded: bytes = simplejpeg.encode_jpeg(
            self.bgr, quality=self.plan.jpeg_quality, colorspace="BGR", colorsubsampling="420"
        )
        return encoded


def generate_frame(seed: int, index: int, distribution: FrameDistribution = DISTRIBUTION) -> SyntheticFrame:
    """Generate frame `index` of the stream `seed`; equal arguments give equal pixels and labels."""
    frame_wh = (FRAME_WIDTH, FRAME_HEIGHT)
    rng = np.random.default_rng([GENERATOR_VERSION, seed, index])
    bank = texture_bank()
    plan = plan_frame(rng, distribution)
    style = draw_style(rng)
    parts = draw_parts(rng, frame_wh=frame_wh)
    scene, mask = paint_scene(parts, style, bank, rng, frame_wh)
    taken = paint_distractors(scene, parts, mask, style, rng)
    painted = paint_defects(scene, plan, mask, taken, style, rng)
    paint_dust(scene, rng)
    homography = draw_homography(rng, frame_wh=frame_wh, corner_shift_share=distribution.corner_shift_share)
    bgr = photograph(
        scene, homography, blur_sigma_px=plan.blur_sigma_px, noise_sigma=plan.noise_sigma, bank=bank, rng=rng
    )
    boxes = [
        box_of_contour(contour, homography, frame_wh=frame_wh, min_side_px=distribution.min_box_side_px)
        for _, contour in painted
    ]
    labels = tuple(DefectLabel(index, box) for (index, _), box in zip(painted, boxes, strict=True))
    return SyntheticFrame(bgr, labels, plan)
