"""Counters of energy that run over, made into counters that only grow."""

from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass(slots=True)
class EnergyCounters:
    """Remembers the last value of each counter.

    Prometheus would take a counter that runs over for one that starts anew, and lose a part.
    """

    _last: dict[str, int] = field(default_factory=dict)
    _added: dict[str, int] = field(default_factory=dict)

    def total(self, name: str, value: int, limit: Callable[[], int]) -> int:
        """The counter, as if it had room for ever.

        Args:
            name: Of the counter.
            value: What it shows now.
            limit: Asked for the highest value that it can show, when it ran over (at most once since the last call).
        """
        if value < self._last.get(name, 0):
            self._added[name] = self._added.get(name, 0) + limit()
        self._last[name] = value
        return value + self._added.get(name, 0)
