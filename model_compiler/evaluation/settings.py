"""What a recipe says about measuring."""

from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field


class EvaluationSettings(BaseModel):
    """The section ``evaluation`` of a recipe.

    Attributes:
        frames: Folder of pictures that nothing was trained or calibrated on.
        labels: COCO file; by default ``labels.coco.json`` in the folder, for a classifier one sub-folder per label.
            Without either, agreement with the float model is measured instead of accuracy.
        count: Take only so many frames, drawn with ``seed``; None takes all.
        seed: Of the drawing and of the bootstrap.
        rounds: Every build is measured once in each round, in turn; medians are reported. Many short rounds are
            steadier than a few long ones where other programs run.
        seconds_per_round: Of each build's two loads in a round: one caller, then several.
        callers: Concurrent callers for images per second; None takes two per core.
        resamples: Of the bootstrap.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    frames: Path
    labels: Path | None = None
    count: int | None = Field(default=None, ge=1)
    seed: int = Field(default=0, ge=0)
    rounds: int = Field(default=11, ge=1, le=101)
    seconds_per_round: float = Field(default=0.5, gt=0.0, le=600.0)
    callers: int | None = Field(default=None, ge=1, le=128)
    resamples: int = Field(default=500, ge=20, le=100_000)
