"""The first draw of a frame: is it clean, is it hard and how, which defects of which size and contrast."""

from dataclasses import dataclass

import numpy as np

from model_training.frame_distribution import DEFECT_CLASSES, HARD_KINDS, SIZES, FrameDistribution


@dataclass(frozen=True)
class PlannedDefect:
    """One defect before it has a place: class, longest side, contrast."""

    class_index: int
    extent_px: float
    contrast: float


@dataclass(frozen=True)
class FramePlan:
    """What a frame will contain.

    Attributes:
        defects: empty for a clean frame.
        hard_kind: one of `HARD_KINDS`, or None.
        blur_sigma_px: Gaussian sigma of the lens in frame pixels.
        noise_sigma: standard deviation of the sensor noise in grey levels.
        jpeg_quality: 1..100.
    """

    defects: tuple[PlannedDefect, ...]
    hard_kind: str | None
    blur_sigma_px: float
    noise_sigma: float
    jpeg_quality: int

    @property
    def clean(self) -> bool:
        """Whether the frame was planned without defects."""
        return not self.defects


def plan_frame(rng: np.random.Generator, distribution: FrameDistribution) -> FramePlan:
    """Draw the plan of one frame; clean and hard are independent, so clean frames are blurred and noisy as well."""
    clean = rng.random() < distribution.clean_share
    hard_kind = str(rng.choice(HARD_KINDS)) if rng.random() < distribution.hard_share else None
    count = (
        0 if clean else 1 + int(rng.choice(len(distribution.defect_count_weights), p=distribution.defect_count_weights))
    )
    defects = tuple(_plan_defect(rng, distribution, hard_kind) for _ in range(count))
    blur = distribution.hard_blur_sigma_px if hard_kind == "blur" else distribution.blur_sigma_px
    noise = distribution.hard_noise_sigma if hard_kind == "noise" else distribution.noise_sigma
    low, high = distribution.jpeg_quality
    return FramePlan(
        defects=defects,
        hard_kind=hard_kind,
        blur_sigma_px=float(rng.uniform(*blur)),
        noise_sigma=float(rng.uniform(*noise)),
        jpeg_quality=int(rng.integers(low, high + 1)),
    )


def _plan_defect(rng: np.random.Generator, distribution: FrameDistribution, hard_kind: str | None) -> PlannedDefect:
    class_index = int(rng.integers(len(DEFECT_CLASSES)))
    sizes = SIZES[DEFECT_CLASSES[class_index]]
    low, high = sizes.tiny_px if hard_kind == "tiny" else sizes.normal_px
    contrast = distribution.low_contrast if hard_kind == "low_contrast" else distribution.contrast
    return PlannedDefect(
        class_index=class_index,
        extent_px=float(np.exp(rng.uniform(np.log(low), np.log(high)))),
        contrast=float(rng.uniform(*contrast)),
    )
