"""One decision of a proposal."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Assumption:
    """What was decided, and why.

    Attributes:
        subject: What it is about, for example ``task``.
        value: What was decided.
        reason: Why.
        flag: The option that decides otherwise; None where the model or the user leaves no choice.
    """

    subject: str
    value: str
    reason: str
    flag: str | None = None

    def __str__(self) -> str:
        otherwise = f"; otherwise {self.flag}" if self.flag else ""
        return f"{self.subject}: {self.value} ({self.reason}{otherwise})"
