"""What a variant may differ from its FP32 reference and still be the same model."""

import math
from dataclasses import dataclass

from contracts.quantization import Variant


@dataclass(frozen=True, slots=True)
class Tolerance:
    """Bounds of one variant. Whether the accuracy suffices is for the gate to say; this finds what is broken.

    Attributes:
        relative_error: Of outputs that both have, in units of the largest value; infinite where only answers count.
        agreement: Least share of answers that both give.
        same_box_iou: Overlap from which two boxes are the same.
        mean_score_difference: Over the answers that both give.
        layer_sqnr_db: Inner tensors below this are where the candidate leaves its reference.
    """

    relative_error: float
    agreement: float
    same_box_iou: float
    mean_score_difference: float
    layer_sqnr_db: float


BELOW_THRESHOLDS_AGREEMENT, BELOW_THRESHOLDS_IOU = 0.5, 0.5
"""Of candidates that nobody would see, for every variant: rounding reorders them, so only what is broken is found."""
_QUANTIZED = Tolerance(math.inf, agreement=0.75, same_box_iou=0.5, mean_score_difference=0.15, layer_sqnr_db=15.0)
TOLERANCES: dict[Variant, Tolerance] = {
    "f32": Tolerance(1e-4, agreement=0.98, same_box_iou=0.9, mean_score_difference=1e-4, layer_sqnr_db=80.0),
    "f16": Tolerance(1e-2, agreement=0.95, same_box_iou=0.9, mean_score_difference=5e-3, layer_sqnr_db=45.0),
    "bf16": Tolerance(1e-1, agreement=0.9, same_box_iou=0.9, mean_score_difference=3e-2, layer_sqnr_db=25.0),
    "int8": _QUANTIZED,
    "int8-dynamic": _QUANTIZED,
    "int4-weights": _QUANTIZED,
}
"""Rounding to 24, 11 and 8 bits of mantissa, times what some tens of layers make of it. Integers move the edges of
small boxes by pixels while the box stays the same to a user, so there boxes are one from where mAP50 says so."""
