"""Admission: a bounded number of frames in work, a bounded queue before it, nobody beyond his deadline."""

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from gateway.errors import DeadlineExceeded, QueueFull


class Admission:
    """First come, first served. Only compressed frames wait here: a place is held before anything is decoded.

    Args:
        max_in_flight: Frames between decode and detections at one time.
        max_waiting: Frames that may wait for a place.
        clock: Monotonic seconds.
    """

    def __init__(self, max_in_flight: int, max_waiting: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._max_in_flight = max_in_flight
        self._max_waiting = max_waiting
        self._clock = clock
        self._in_flight = 0
        self._waiting: deque[asyncio.Future[None]] = deque()

    @property
    def in_flight(self) -> int:
        """Frames that hold a place."""
        return self._in_flight

    @property
    def waiting(self) -> int:
        """Frames in the queue."""
        return len(self._waiting)

    def require_room(self, frames: int) -> None:
        """Refuse a request of several frames as a whole when they would not all fit.

        Raises:
            QueueFull: Fewer than ``frames`` places are left.
        """
        free = self._max_in_flight - self._in_flight + self._max_waiting - len(self._waiting)
        if frames > free:
            raise QueueFull(len(self._waiting), self._max_waiting)

    @asynccontextmanager
    async def slot(self, deadline_at: float | None) -> AsyncIterator[None]:
        """Hold one place for the length of the block.

        Raises:
            QueueFull: The queue is full.
            DeadlineExceeded: ``deadline_at`` (monotonic seconds) passed before a place was free.
        """
        await self._acquire(deadline_at)
        try:
            yield
        finally:
            self._release()

    async def _acquire(self, deadline_at: float | None) -> None:
        if deadline_at is not None and deadline_at <= self._clock():
            raise DeadlineExceeded("queue")
        if self._in_flight < self._max_in_flight and not self._waiting:
            self._in_flight += 1
            return
        if len(self._waiting) >= self._max_waiting:
            raise QueueFull(len(self._waiting), self._max_waiting)
        await self._wait_for_turn(deadline_at)

    async def _wait_for_turn(self, deadline_at: float | None) -> None:
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        try:
            async with asyncio.timeout(None if deadline_at is None else deadline_at - self._clock()):
                await turn
        except BaseException as error:
            self._give_up(turn)
            if isinstance(error, TimeoutError):
                raise DeadlineExceeded("queue") from error
            raise

    def _give_up(self, turn: asyncio.Future[None]) -> None:
        if turn.done() and not turn.cancelled():
            self._release()  # the place came together with the cancellation: hand it on
        elif turn in self._waiting:
            self._waiting.remove(turn)

    def _release(self) -> None:
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(None)  # the place goes over to the one who waited
                return
        self._in_flight -= 1
