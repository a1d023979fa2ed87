"""A goal with what was reached."""

from pydantic import BaseModel, ConfigDict


class Goal(BaseModel):
    """One number that was aimed at.

    Attributes:
        name: What, as a phrase.
        target: The number.
        value: What was measured; None where it was not.
        unit: Of both; empty for ratios.
        at_least: Whether more is better.
        note: How it was measured, or why not.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    target: float
    value: float | None
    unit: str = ""
    at_least: bool
    note: str = ""

    @property
    def missed_by(self) -> float | None:
        """How far the value is on the wrong side of the target; 0 or less where it is met."""
        if self.value is None:
            return None
        return self.target - self.value if self.at_least else self.value - self.target
