"""Where detections are selected from outputs of one kind: room for a few selections at one time."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from queue import SimpleQueue
from typing import Any, Literal, Protocol, Unpack

import numpy as np
from numpy.typing import NDArray

from gateway.device_output import SelectionOptions

Place = Literal["GPU", "CPU"]


class SelectionRoom(Protocol):
    """Memory for one selection at a time."""

    def select(self, values: Any, **options: Unpack[SelectionOptions]) -> NDArray[np.float32]:
        """What thresholds and NMS leave of an output on the GPU: a new array."""
        ...


class SelectionRooms:
    """Rooms that threads share; who finds all of them taken waits for one.

    Args:
        place: Where they select.
        rooms: At least one.
    """

    def __init__(self, place: Place, rooms: Sequence[SelectionRoom]) -> None:
        self.place = place
        self._free = SimpleQueue[SelectionRoom]()
        for room in rooms:
            self._free.put(room)

    @contextmanager
    def one(self) -> Iterator[SelectionRoom]:
        """A room that nobody else uses meanwhile."""
        room = self._free.get()
        try:
            yield room
        finally:
            self._free.put(room)
