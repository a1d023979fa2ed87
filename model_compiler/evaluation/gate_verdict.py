"""What a gate found, check by check."""

from typing import Literal

from pydantic import BaseModel, ConfigDict

Status = Literal["pass", "fail", "not_measured", "not_proven"]


class GateCheck(BaseModel):
    """One limit.

    Attributes:
        name: The setting that it is of.
        status: ``not_measured`` where there is no number of this hardware class, ``not_proven`` where the frames are
            too few to decide a limit that the recipe leaves to the default; neither is a pass.
        limit: What the value is compared with.
        value: What was measured; where the frames are too few, what they can show at best.
        excess: By how much the limit is missed, in its unit; 0 or less where it is kept.
        reason: A sentence for people.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    status: Status
    limit: float
    value: float | None = None
    excess: float | None = None
    reason: str


class GateVerdict(BaseModel):
    """All checks of one variant."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    checks: tuple[GateCheck, ...]

    @property
    def passed(self) -> bool:
        """Whether no check failed; those that were not measured or not proven stay open."""
        return not self.failures

    @property
    def failures(self) -> tuple[str, ...]:
        """Which limits were missed and by how much, a sentence each."""
        return tuple(check.reason for check in self.checks if check.status == "fail")

    @property
    def not_measured(self) -> tuple[str, ...]:
        """Names of the checks that are open."""
        return tuple(check.name for check in self.checks if check.status == "not_measured")

    @property
    def not_proven(self) -> tuple[str, ...]:
        """Which limits the frames are too few to decide, a sentence each."""
        return tuple(check.reason for check in self.checks if check.status == "not_proven")
