"""How long the way to the cloud and back takes."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RoundTrip:
    """A network round trip of two independent legs, each uniform between half of both bounds.

    Attributes:
        low_ms, high_ms: Shortest and longest round trip. Equal bounds are a constant.
    """

    low_ms: float
    high_ms: float

    @property
    def mean_ms(self) -> float:
        """``(low + high) / 2``."""
        return (self.low_ms + self.high_ms) / 2

    def probability_within(self, budget_ms: float) -> float:
        """P(round trip <= budget).

        The sum of two uniform legs on ``[low/2, high/2]`` has a triangular density. With ``u = (budget - low) /
        (high - low)``: 0 for u <= 0; ``2 u^2`` up to u = 1/2; ``1 - 2 (1 - u)^2`` up to u = 1; then 1.
        """
        if self.high_ms == self.low_ms:
            return 1.0 if budget_ms >= self.low_ms else 0.0
        u = (budget_ms - self.low_ms) / (self.high_ms - self.low_ms)
        if u <= 0.0:
            return 0.0
        if u >= 1.0:
            return 1.0
        return 2.0 * u * u if u <= 0.5 else 1.0 - 2.0 * (1.0 - u) * (1.0 - u)
