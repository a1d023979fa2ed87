"""Worker processes get their GPU back."""

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

from gateway.workers.handle import WorkerStatus

_LOG = logging.getLogger(__name__)
_LOOK_SECONDS = 5.0
_PAUSES_SECONDS = (300.0, 900.0, 3600.0)


class EndableWorker(Protocol):
    """A worker that another process takes the place of."""

    async def status(self) -> WorkerStatus:
        """Its process, and whether that has lost its GPU."""
        ...

    async def end_process(self) -> None:
        """Finish the requests in work and end the process; another one is started."""
        ...


class DeviceRecovery:
    """Replaces workers whose GPU is lost or stuck: a new process opens it anew, and has all its places again.

    One at a time, and only while all others serve. After each there is a pause, which grows with the number of times
    that the worker was replaced, until no GPU was lost for as long as the longest of them.

    Args:
        workers: All of the gateway.
        look_seconds: Between two looks at them.
        pauses_seconds: After the first, second and each later replacement of a worker.
        sleep: Waits so many seconds.
        clock: Monotonic seconds.
    """

    def __init__(
        self,
        workers: Sequence[EndableWorker],
        *,
        look_seconds: float = _LOOK_SECONDS,
        pauses_seconds: tuple[float, ...] = _PAUSES_SECONDS,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._workers = workers
        self._look_seconds = look_seconds
        self._pauses_seconds = pauses_seconds
        self._sleep = sleep
        self._clock = clock
        self._replaced = Counter[int]()
        self._lost_at = clock()

    async def run(self) -> None:
        """Look after them until cancelled."""
        while True:
            await self._sleep(self._look_seconds)
            try:
                await self._look()
            except Exception:  # noqa: BLE001 - whatever it is, workers without their GPU are looked after again
                _LOG.exception("workers could not be looked after; it is tried again")
                await self._sleep(self._pauses_seconds[0])

    async def _look(self) -> None:
        statuses = [await worker.status() for worker in self._workers]
        lost = [index for index, status in enumerate(statuses) if status.device_lost]
        if lost:
            self._lost_at = self._clock()
            if all(status.pid for status in statuses):
                await self._replace(min(lost, key=lambda index: self._replaced[index]))
        elif self._clock() - self._lost_at > self._pauses_seconds[-1]:
            self._replaced.clear()

    async def _replace(self, index: int) -> None:
        pause = self._pauses_seconds[min(self._replaced[index], len(self._pauses_seconds) - 1)]
        self._replaced[index] += 1
        facts = {"worker": index, "times": self._replaced[index], "pause_seconds": pause}
        _LOG.warning("a worker that has lost its GPU is replaced", extra=facts)
        await self._workers[index].end_process()
        await self._sleep(pause)
