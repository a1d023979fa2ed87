"""What a build's answers look like on the frames it was calibrated with, to be compared with those of a device."""

from typing import Self

from pydantic import Field, model_validator

from contracts.card_part import CardPart, Score, Sha256


class BinnedCounts(CardPart):
    """Counts in bins of equal width from ``low`` to ``high``; what lies outside is counted in the outermost bins."""

    low: float
    high: float
    counts: tuple[int, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _is_a_histogram(self) -> Self:
        if self.low >= self.high:
            raise ValueError(f"low must be below high, got {self.low} and {self.high}")
        if min(self.counts) < 0:
            raise ValueError(f"counts must not be negative, got {min(self.counts)}")
        return self

    @property
    def total(self) -> int:
        """How many values were counted."""
        return sum(self.counts)


class DriftReference(CardPart):
    """Integer counts, so that windows of a device and of many devices can be added.

    Attributes:
        dataset_sha256: The frames.
        frames: How many.
        lowest_score: Boxes with a lower raw score were left out.
        confidence: Raw score of every box; for classification of the best class of every frame.
        class_counts: Boxes (frames for classification) by label, in the order of the card's labels.
        hardness: Of every frame, see ``HardnessScale``.
        boxes_per_frame: Detection only; the last bin holds all larger counts.
        box_area_log2: Detection only; log2 of the box's share of the frame.
        brightness: Mean grey level of the frame.
        sharpness: log2 of 1 plus the variance of the Laplacian at 320 pixels width.
        entropy_bits: Entropy of the grey levels.
    """

    dataset_sha256: Sha256
    frames: int = Field(ge=1)
    lowest_score: Score
    confidence: BinnedCounts
    class_counts: tuple[int, ...]
    hardness: BinnedCounts
    boxes_per_frame: BinnedCounts | None = None
    box_area_log2: BinnedCounts | None = None
    brightness: BinnedCounts
    sharpness: BinnedCounts
    entropy_bits: BinnedCounts
