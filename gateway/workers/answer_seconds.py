"""How long worker processes may take."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class AnswerSeconds:
    """How long a worker process may take for its answers; after that it counts as missing.

    Attributes:
        start: Until it serves. With a GPU it compiles kernels, and measures.
        catalogue: Until a catalogue is in force. With a GPU it may have one more kind of memory registered.
        other: Until it tells its status, its metrics.
    """

    start: float = 30.0
    catalogue: float = 15.0
    other: float = 5.0

    @classmethod
    def of(cls, preprocessing: Literal["cpu", "cuda"]) -> "AnswerSeconds":
        """Of workers that prepare frames so."""
        return cls() if preprocessing == "cpu" else cls(start=180.0, catalogue=30.0)
