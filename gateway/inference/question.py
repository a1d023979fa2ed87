"""What holds for every frame of a request."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Question:
    """Times are readings of the monotonic clock.

    Attributes:
        key: Equal keys fall on the same side of a canary's share.
        arrived_at: When the request was read.
        deadline_at: When the caller's time is over.
        threshold: Lowest score for every class, instead of the card's.
    """

    key: str
    arrived_at: float
    deadline_at: float
    threshold: float | None = None
