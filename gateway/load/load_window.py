"""When a load runs, and which part of it counts."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class LoadWindow:
    """Readings of one clock, in seconds: the load starts, the measurement begins, both end."""

    starts_at: float
    begins_at: float
    ends_at: float

    @classmethod
    def after(cls, now: float, warmup_seconds: float, seconds: float) -> "LoadWindow":
        """A window that starts now."""
        return cls(now, now + warmup_seconds, now + warmup_seconds + seconds)

    @property
    def seconds(self) -> float:
        """Length of the measured part."""
        return self.ends_at - self.begins_at

    def contains(self, moment: float) -> bool:
        """Whether a moment lies in the measured part."""
        return self.begins_at <= moment < self.ends_at
