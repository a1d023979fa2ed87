"""How the scores of a build become probabilities, and how hard its frames usually are."""

from typing import Literal, Self

from pydantic import Field, model_validator

from contracts.card_part import CardPart, Score, Sha256

CalibrationMethod = Literal["none", "isotonic", "platt", "temperature"]


class ScoreMap(CardPart):
    """A rising, piecewise linear map from score to probability, constant outside its knots."""

    scores: tuple[Score, ...] = Field(min_length=1)
    probabilities: tuple[Score, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _rises(self) -> Self:
        if len(self.scores) != len(self.probabilities):
            raise ValueError(f"{len(self.scores)} scores do not fit {len(self.probabilities)} probabilities")
        strictly = all(first < second for first, second in zip(self.scores, self.scores[1:], strict=False))
        if not strictly or list(self.probabilities) != sorted(self.probabilities):
            raise ValueError("scores must rise and probabilities must not fall")
        return self


class HardnessScale(CardPart):
    """Quantiles at equal steps of probability, smallest and largest included, over the calibration frames.

    Attributes:
        expected_errors: Detection: the expected number of wrong decisions on boxes.
        strongest_hidden: Detection: the best probability below the display threshold.
        lack_of_margin: Classification: 1 minus the lead of the best class.
        hardness: Of the frame's hardness itself, 0 to 1: for detection the larger of the two above, each on its own
            scale. The quantile at 1 - r is the threshold that a share r of such frames exceeds.
    """

    frames: int = Field(ge=1)
    expected_errors: tuple[float, ...] = ()
    strongest_hidden: tuple[float, ...] = ()
    lack_of_margin: tuple[float, ...] = ()
    hardness: tuple[Score, ...] = Field(min_length=2)


class ConfidenceCalibration(CardPart):
    """Raw scores are to be taken as probabilities only where ``method`` is ``none`` and nothing better is known.

    Attributes:
        method: How the map was fitted; ``none``: there were no labels, or no map halved the error.
        reason: Why there is no map.
        dataset_sha256: The frames.
        samples: Boxes (frames for classification) that it was fitted on.
        ece_before: Expected calibration error of the raw scores, 0 to 1.
        ece_after: The same of mapped scores, on frames that the map was not fitted on.
        temperature: Classification: probabilities are softmax(log(p) / temperature).
        pooled: Detection: for every label without a map of its own.
        by_label: Detection: labels with enough boxes.
        hardness: What is usual for the calibration frames.
    """

    method: CalibrationMethod
    reason: str = ""
    dataset_sha256: Sha256
    samples: int = Field(ge=0)
    ece_before: Score | None = None
    ece_after: Score | None = None
    temperature: float | None = Field(default=None, gt=0.0)
    pooled: ScoreMap | None = None
    by_label: dict[str, ScoreMap] = Field(default_factory=dict)
    hardness: HardnessScale

    @model_validator(mode="after")
    def _has_what_its_method_needs(self) -> Self:
        needs_temperature, needs_map = self.method == "temperature", self.method in ("isotonic", "platt")
        if (self.temperature is not None) != needs_temperature or (self.pooled is not None) != needs_map:
            raise ValueError(f"method {self.method!r} does not fit the maps that are there")
        return self
