"""How the weights and activations of a build were made smaller."""

from typing import Literal

from pydantic import Field

from contracts.card_part import CardPart, Sha256

Variant = Literal["f32", "bf16", "f16", "int8", "int8-dynamic", "int4-weights"]
"""Ways to run one model: ``f32`` and ``bf16`` share a graph, the others change it."""

RangeMethod = Literal["min-max", "entropy", "percentile"]


Scheme = Literal["u8s8", "s8s8", "u8s8-symmetric"]
"""How activations (first) and weights become integers of 8 bits, unsigned or signed."""


class Quantization(CardPart):
    """Static quantisation: what the ranges came from, and what stayed float."""

    scheme: Scheme
    per_channel: bool = True
    range_method: RangeMethod
    calibration_frames: int = Field(ge=1)
    calibration_sha256: Sha256
    quantized_nodes: int = Field(ge=0)
    sqnr_db: float | None = Field(
        default=None, description="outputs against FP32, the worse half of the channels; None where not measured"
    )
    float_nodes: tuple[str, ...] = Field(default=(), description="nodes kept float because they cost too much accuracy")
