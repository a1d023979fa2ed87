"""Where a GPU selects detections from outputs of one kind: room for a few selections at one time."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from queue import SimpleQueue

from gateway.cuda.device_room import DeviceRoom


class SelectionRooms:
    """Rooms that threads share; who finds all of them taken waits for one.

    Args:
        rooms: At least one.
    """

    def __init__(self, rooms: Sequence[DeviceRoom]) -> None:
        self._free = SimpleQueue[DeviceRoom]()
        for room in rooms:
            self._free.put(room)

    @contextmanager
    def one(self) -> Iterator[DeviceRoom]:
        """A room that nobody else uses meanwhile."""
        room = self._free.get()
        try:
            yield room
        finally:
            self._free.put(room)
