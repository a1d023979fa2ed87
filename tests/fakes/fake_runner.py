"""A Triton that is up, for the supervisor."""

import asyncio

from gateway.supervision.instance_watch import BrokenInstance


class FakeRunner:
    """A Triton that is up, and ends when it may be ended.

    Args:
        ours: Whether it may.
    """

    def __init__(self, *, ours: bool) -> None:
        self._ours = ours
        self.restarts = 0
        self.broken: tuple[BrokenInstance, ...] = ()
        self.asked = asyncio.Event()

    async def bring_up(self) -> None:
        """Up already."""

    async def wait_until_gone(self) -> str:
        await asyncio.Event().wait()
        return "never"

    def broken_instances(self) -> tuple[BrokenInstance, ...]:
        return self.broken

    def expect_new_instances(self) -> None:
        """Nothing to look at."""

    def instances_of(self, _model: str) -> tuple[int, ...]:
        return ()

    def has_live_instance(self, _model: str) -> bool:
        return True

    def end_instances(self, pids: tuple[int, ...]) -> None:
        """None are there."""

    async def restart(self) -> bool:
        self.restarts += 1
        self.asked.set()
        return self._ours

    async def close(self) -> None:
        """Nothing to end."""
