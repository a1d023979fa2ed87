"""What the activations of a model were seen to take, from which every runtime's variant is emitted."""

import math
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from contracts.card_part import Sha256
from contracts.quantization import RangeMethod
from model_compiler.quantization.errors import InvalidCalibrationCache

Range = tuple[float, float]


class CalibrationCache(BaseModel):
    """Ranges of all float activations.

    Attributes:
        model_sha256: The plain FP32 model that they were measured on.
        method: How ranges follow from values.
        frame_count: Number of frames.
        frames_sha256: Identity of the frames.
        ranges: Lowest and highest value of each tensor.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: Literal[1] = 1
    model_sha256: Sha256
    method: RangeMethod
    frame_count: int = Field(ge=1)
    frames_sha256: Sha256
    ranges: dict[str, Range]

    @model_validator(mode="after")
    def _ranges_are_ranges(self) -> Self:
        for tensor, (low, high) in self.ranges.items():
            if not (math.isfinite(low) and math.isfinite(high) and low <= high):
                raise ValueError(f"the range of {tensor!r} is {low} to {high}")
        return self

    def to_bytes(self) -> bytes:
        """JSON; equal caches give equal bytes."""
        return self.model_copy(update={"ranges": dict(sorted(self.ranges.items()))}).model_dump_json().encode()

    @classmethod
    def from_bytes(cls, data: bytes) -> "CalibrationCache":
        """Read what ``to_bytes`` gave.

        Raises:
            InvalidCalibrationCache: It is something else.
        """
        try:
            return cls.model_validate_json(data)
        except ValidationError as error:
            first = error.errors()[0]
            place = ".".join(str(part) for part in first["loc"]) or "cache"
            raise InvalidCalibrationCache(f"{place}: {first['msg']}") from error
