"""The fixed distribution of the synthetic frames: every number that decides how hard the data set is."""

from dataclasses import dataclass

GENERATOR_VERSION = 1
"""Goes into every data-set hash; raise it with any change that alters a frame."""

FRAME_WIDTH = 1280
FRAME_HEIGHT = 960

DEFECT_CLASSES = ("scratch", "pit", "crack", "dent", "stain", "inclusion")
HARD_KINDS = ("low_contrast", "blur", "noise", "tiny")

SPLIT_SEEDS = {"train": 1101, "val": 2203, "heldout": 3307, "samples": 4409}
"""One seed a split: no frame of one split can occur in another."""


@dataclass(frozen=True)
class SizeRange:
    """Longest side of a defect in frame pixels, drawn log-uniformly; `tiny_px` is for frames that are hard by size."""

    normal_px: tuple[float, float]
    tiny_px: tuple[float, float]


@dataclass(frozen=True)
class FrameDistribution:
    """Shares and ranges that a frame is drawn from; fixed before the first training.

    Contrasts are relative to the local brightness of the part; blur is a Gaussian sigma in frame pixels; noise is a
    standard deviation in 8-bit grey levels.
    """

    clean_share: float = 0.42
    hard_share: float = 0.28
    defect_count_weights: tuple[float, ...] = (0.30, 0.30, 0.22, 0.18)
    contrast: tuple[float, float] = (0.30, 0.90)
    low_contrast: tuple[float, float] = (0.14, 0.26)
    blur_sigma_px: tuple[float, float] = (0.0, 1.3)
    hard_blur_sigma_px: tuple[float, float] = (2.2, 4.0)
    noise_sigma: tuple[float, float] = (1.5, 6.0)
    hard_noise_sigma: tuple[float, float] = (13.0, 22.0)
    jpeg_quality: tuple[int, int] = (80, 95)
    corner_shift_share: float = 0.045
    min_box_side_px: float = 25.0
    """Boxes thinner than this (8 px at 416 pixels of width) are widened to it, around their centre."""


SIZES = {
    "scratch": SizeRange(normal_px=(70.0, 420.0), tiny_px=(40.0, 62.0)),
    "pit": SizeRange(normal_px=(30.0, 72.0), tiny_px=(25.0, 30.0)),
    "crack": SizeRange(normal_px=(60.0, 320.0), tiny_px=(38.0, 55.0)),
    "dent": SizeRange(normal_px=(72.0, 250.0), tiny_px=(42.0, 62.0)),
    "stain": SizeRange(normal_px=(60.0, 280.0), tiny_px=(36.0, 52.0)),
    "inclusion": SizeRange(normal_px=(30.0, 90.0), tiny_px=(25.0, 30.0)),
}

DISTRIBUTION = FrameDistribution()
