"""Notices a Triton that hangs, with nothing but HTTP: where it runs alone, no gateway can end it."""

import asyncio
import contextlib
import http.client
import time
from collections.abc import Callable

_START_LIMIT_SECONDS = 60.0
_HANGING_SECONDS = 20.0
_INTERVAL_SECONDS = 1.0
_ASK_SECONDS = 2.0


class LivenessWatch:
    """Asks at intervals.

    Args:
        answers: Asks once; it may block for a few seconds.
        interval_seconds: Between an answer and the next question.
        clock: Monotonic seconds.
    """

    def __init__(
        self,
        answers: Callable[[], bool],
        interval_seconds: float = _INTERVAL_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._answers = answers
        self._interval_seconds = interval_seconds
        self._clock = clock

    async def wait_until_hanging(self) -> float:
        """Return when there was no answer for 20 s, or for 60 s from the start on, with the seconds."""
        answered_at, limit = self._clock(), _START_LIMIT_SECONDS
        while self._clock() - answered_at < limit:
            if await asyncio.to_thread(self._answers):
                answered_at, limit = self._clock(), _HANGING_SECONDS
            await asyncio.sleep(self._interval_seconds)
        return self._clock() - answered_at


def answers(host: str, port: int) -> bool:
    """Whether a Triton answers when it is asked whether it lives; what it answers is its own affair.

    Args:
        host: Of its HTTP port.
        port: The port.
    """
    connection = http.client.HTTPConnection(host, port, timeout=_ASK_SECONDS)  # never through a proxy
    try:
        with contextlib.closing(connection):
            connection.request("GET", "/v2/health/live")
            connection.getresponse()
    except (OSError, http.client.HTTPException):
        return False
    return True
