"""Recipe section: how a model is quantised."""

from pathlib import Path
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from contracts.quantization import RangeMethod

FEWEST_FRAMES = 100
MOST_FRAMES = 300


class SensitivitySettings(BaseModel):
    """Mixed precision: which nodes stay float is found by measuring.

    Attributes:
        max_float_nodes: At most so many nodes are kept float; 0 measures nothing.
        target_sqnr_db: Enough once the outputs reach this signal to quantisation noise ratio, in dB, against FP32.
        frames: Calibration frames that it is measured on.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    max_float_nodes: int = Field(default=8, ge=0, le=1000)
    target_sqnr_db: float = 25.0
    frames: int = Field(default=16, ge=1, le=MOST_FRAMES)


class QuantizationSettings(BaseModel):
    """The section ``calibration`` of a recipe.

    Attributes:
        frames: Folder of JPEG and PNG files, searched with its sub-folders: pictures like those of the site.
        count: How many are drawn from it, 100 to 300.
        allow_few_frames: Accept fewer than 100; the ranges are then less certain.
        seed: Of the drawing.
        method: How a range follows from what an activation was seen to take.
        percentile: Share of values inside the range, in percent; of ``percentile`` only.
        float_nodes: Nodes kept float by hand, by name.
        float_classifier: Keep a classifier's last layer float; a detector's head always stays float.
        sensitivity: Nodes kept float because they cost too much.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    frames: Path
    count: int = Field(default=200, ge=1, le=MOST_FRAMES)
    allow_few_frames: bool = False
    seed: int = Field(default=0, ge=0)
    method: RangeMethod = "min-max"
    percentile: float = Field(default=99.999, gt=50.0, le=100.0)
    float_nodes: tuple[str, ...] = ()
    float_classifier: bool = False
    sensitivity: SensitivitySettings = SensitivitySettings()

    @model_validator(mode="after")
    def _enough_frames(self) -> Self:
        if self.count < FEWEST_FRAMES and not self.allow_few_frames:
            raise ValueError(
                f"count is {self.count}: ranges need {FEWEST_FRAMES} to {MOST_FRAMES} frames; set allow_few_frames to"
                " accept fewer"
            )
        return self
