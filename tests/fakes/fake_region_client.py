"""A Triton that only knows regions."""

import asyncio

from gateway.errors import DeadlineExceeded, GatewayError, TritonCode, TritonRejected
from gateway.frame_memory import FrameMemory
from gateway.transport import Transport


class FakeRegionClient:
    """Implements ``RegionClient``.

    Args:
        events: Told what Triton forgets.
    """

    def __init__(self, events: list[str]) -> None:
        self.events = events
        self.regions: dict[str, Transport] = {}
        self.refusals: dict[Transport, GatewayError] = {}
        self.registers_unheard = False
        self.in_use = 0
        self.failures: list[GatewayError] = []
        self.forgotten_requests = 0
        self.may_answer = asyncio.Event()
        self.may_answer.set()

    def forget(self) -> None:
        self.forgotten_requests += 1

    async def register(self, memory: FrameMemory) -> None:
        await self.may_answer.wait()
        if memory.transport in self.refusals:
            raise self.refusals[memory.transport]
        self.regions[str(memory.name)] = memory.transport
        if self.registers_unheard:
            raise DeadlineExceeded("infer")

    async def unregister(self, memory: FrameMemory) -> None:
        """Fail as ``failures`` say, then refuse as often as ``in_use`` says."""
        await self.may_answer.wait()
        if self.failures:
            self.events.append("no answer")
            raise self.failures.pop(0)
        if self.in_use:
            self.in_use -= 1
            self.events.append("in use")
            raise TritonRejected(TritonCode.INTERNAL, "in use")
        self.events.append("unregistered")
        self.regions.pop(str(memory.name), None)
