"""What one request holds of the memory for bodies."""

from types import TracebackType
from typing import Self

from gateway.body_budget import BodyBudget


class BodyHold:
    """Grows as a body comes in, and is released with its request; as a block, at the end of the block.

    Only what has come is held, so that callers who announce much and send nothing keep nobody out.

    Args:
        budget: Of all requests.
    """

    __slots__ = ("_budget", "_held_bytes")

    def __init__(self, budget: BodyBudget) -> None:
        self._budget = budget
        self._held_bytes = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.release()

    def require(self, size_bytes: int) -> None:
        """Refuse an announced body that would not fit now.

        Raises:
            MemoryFull: It would not.
        """
        self._budget.require(size_bytes)

    def grow(self, size_bytes: int) -> None:
        """Hold more.

        Raises:
            MemoryFull: It does not fit.
        """
        self._budget.hold(size_bytes)
        self._held_bytes += size_bytes

    def release(self) -> None:
        """Give back everything."""
        self._budget.release(self._held_bytes)
        self._held_bytes = 0
