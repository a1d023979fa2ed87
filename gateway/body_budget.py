"""How much memory the bodies of requests may take."""

from gateway.errors import MemoryFull


class BodyBudget:
    """Bytes of request bodies in memory at one time, for all servers of a worker.

    Args:
        limit_bytes: The most of them.
    """

    def __init__(self, limit_bytes: int) -> None:
        self._limit_bytes = limit_bytes
        self._held_bytes = 0

    @property
    def held_bytes(self) -> int:
        """Bytes of the requests in work."""
        return self._held_bytes

    def require(self, size_bytes: int) -> None:
        """Refuse what would not fit now.

        Raises:
            MemoryFull: It would not.
        """
        if self._held_bytes + size_bytes > self._limit_bytes:
            raise MemoryFull(size_bytes, self._held_bytes, self._limit_bytes)

    def hold(self, size_bytes: int) -> None:
        """Count bytes as held.

        Raises:
            MemoryFull: They do not fit; nothing is counted.
        """
        self.require(size_bytes)
        self._held_bytes += size_bytes

    def release(self, size_bytes: int) -> None:
        """Bytes that were held are free again."""
        self._held_bytes -= size_bytes
