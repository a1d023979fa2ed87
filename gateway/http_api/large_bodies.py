"""Keeps the event loop going while a large body is read, written or compressed."""

import asyncio
from collections.abc import Callable
from typing import TypeVar

from gateway.errors import DeadlineExceeded

LARGE_BYTES = 64 * 1024
"""Work on less takes about a millisecond."""

Result = TypeVar("Result")


class LargeBodies:
    """Does large work in a thread, one piece at a time: several would only fight for the interpreter and for memory.

    Args:
        patience_seconds: Longest wait for the turn.
    """

    def __init__(self, patience_seconds: float) -> None:
        self._patience_seconds = patience_seconds
        self._turn = asyncio.Lock()

    async def run(self, size_bytes: int, work: Callable[[], Result], stage: str) -> Result:
        """The result of some work on a body of this size.

        Raises:
            DeadlineExceeded: In ``stage``; the turn did not come in time.
        """
        if size_bytes < LARGE_BYTES:
            return work()
        try:
            async with asyncio.timeout(self._patience_seconds):
                await self._turn.acquire()
        except TimeoutError as error:
            raise DeadlineExceeded(stage) from error
        # a thread cannot be stopped: the turn stays taken until it is done, also where its caller went away
        done = asyncio.get_running_loop().run_in_executor(None, work)
        done.add_done_callback(lambda _: self._turn.release())
        return await asyncio.shield(done)
