"""A process that is over even where a kill does not end it."""

import asyncio
import contextlib
import logging
from collections.abc import Callable
from typing import Protocol

_LOG = logging.getLogger(__name__)
_KILL_SECONDS = 5.0
_LOOK_SECONDS = 1.0


class RunningProcess(Protocol):
    """A child process, as asyncio has it."""

    @property
    def pid(self) -> int:
        """Its number."""
        ...

    @property
    def returncode(self) -> int | None:
        """None while it runs."""
        ...

    def kill(self) -> None:
        """Send it SIGKILL."""
        ...

    async def wait(self) -> int:
        """Its exit code, when it has ended."""
        ...


class EndableProcess:
    """A child process that can be ended in bounded time.

    A thread that waits inside a driver, for a GPU that hangs, dies of no signal. Such a process is left behind: it
    counts as over.

    Args:
        process: The child.
        kill_seconds: After that long a killed process is left behind.
        look_seconds: Between two calls of ``over``'s ``look``.
    """

    def __init__(
        self, process: RunningProcess, *, kill_seconds: float = _KILL_SECONDS, look_seconds: float = _LOOK_SECONDS
    ) -> None:
        self._process = process
        self._kill_seconds = kill_seconds
        self._look_seconds = look_seconds
        self._left_behind = False

    @property
    def pid(self) -> int:
        """Its number."""
        return self._process.pid

    @property
    def returncode(self) -> int | None:
        """None while it runs, also where it was left behind."""
        return self._process.returncode

    async def end(self, seconds: float) -> None:
        """Wait so long for its end, then kill it."""
        try:
            await asyncio.wait_for(self._process.wait(), seconds)
        except TimeoutError:
            await self.kill()

    async def kill(self) -> None:
        """Kill it, where it runs, and wait a while for its end."""
        with contextlib.suppress(ProcessLookupError):  # it has just ended by itself
            self._process.kill()
        try:
            await asyncio.wait_for(self._process.wait(), self._kill_seconds)
        except TimeoutError:
            self._left_behind = True
            _LOG.error("a killed process does not end; it is left behind", extra={"pid": self.pid})

    async def over(self, look: Callable[[], None]) -> int | None:
        """Wait until it is over.

        Args:
            look: Called again and again meanwhile.

        Returns:
            Its exit code; None where it was left behind.
        """
        while not self._left_behind:
            with contextlib.suppress(TimeoutError):
                return await asyncio.wait_for(self._process.wait(), self._look_seconds)
            look()
        return None
