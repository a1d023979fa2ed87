"""Keeps the frame memory large enough for the loaded builds and known to the running Triton."""

import asyncio
import logging
import secrets
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from itertools import chain, repeat
from typing import Protocol

from gateway.catalogue import Catalogue
from gateway.device_output import RawOutput
from gateway.errors import BackendError, GatewayError, TritonCode, TritonRejected
from gateway.frame_memory import FrameMemory, HostFrameMemory
from gateway.transport import Refusal, Transport

_LOG = logging.getLogger(__name__)
_SAID = {
    Transport.CUDA: "memory of the GPU is not shared with Triton",
    Transport.SYSTEM: "tensors travel in the request",
}
_PAUSES_SECONDS = (0.05, 0.5, 2.0, 30.0)
_CLOSING_SECONDS = 4.0
_MOST_OPEN = 4
_BY_SETTING = Refusal("setting", "switched off by the setting shared_memory")

DeviceMemoryMaker = Callable[[str, int, int, int], FrameMemory]
"""Makes memory on the GPU of a region's name, slots, and bytes of the input and the output part of each."""


class RegionClient(Protocol):
    """Triton, as far as regions go."""

    def forget(self) -> None:
        """Drop what was prepared for other builds or regions."""
        ...

    async def register(self, memory: FrameMemory) -> None:
        """Make a region known to Triton."""
        ...

    async def unregister(self, memory: FrameMemory) -> None:
        """Make Triton forget a region."""
        ...


class FrameRegions:
    """Owns the current ``FrameMemory``.

    For each Triton that is seen, transports are tried in order: memory of the GPU where frames are prepared there, the
    machine's shared memory, at last the request itself.

    Args:
        client: Where regions are registered.
        prefix: Beginning of the names of the regions, unique to this process.
        slots: Frames that may be in work at one time.
        use_shared_memory: False sends tensors in the request from the start.
        on_transport: Told how tensors travel, at each change of that or of ``refusals``.
        make_device_memory: Where frames are prepared on a GPU.
        pauses_seconds: Between questions that Triton does not answer as is needed; the last one again and again.

    Attributes:
        refusals: Why each way that was tried is not taken.
        current: Where frames get their slots.
    """

    def __init__(
        self,
        client: RegionClient,
        prefix: str,
        slots: int,
        *,
        use_shared_memory: bool,
        on_transport: Callable[[Transport], None],
        make_device_memory: DeviceMemoryMaker | None = None,
        pauses_seconds: tuple[float, ...] = _PAUSES_SECONDS,
    ) -> None:
        self._client = client
        self._prefix = prefix
        self._slots = slots
        self._on_transport = on_transport
        self._make_device_memory = make_device_memory
        self._use_shared_memory = use_shared_memory
        self._pauses_seconds = pauses_seconds
        self._made = 0
        self._registered_generation = -1
        self._outputs: Mapping[str, RawOutput] = {}
        self._replacing = asyncio.Lock()
        self._ending: dict[asyncio.Task[None], FrameMemory] = {}
        self._recovery: asyncio.Task[None] | None = None
        self._unanswered: FrameMemory | None = None
        self._device_gone: Refusal | None = None
        self.refusals = self._settled_refusals()
        self.current: FrameMemory = HostFrameMemory(None, slots, 1)

    def _settled_refusals(self) -> dict[Transport, Refusal]:
        """Those that no other Triton changes."""
        refusals = {} if self._use_shared_memory else {Transport.SYSTEM: _BY_SETTING}
        if self._make_device_memory is not None and not self._use_shared_memory:
            refusals[Transport.CUDA] = _BY_SETTING
        if self._device_gone is not None:
            refusals[Transport.CUDA] = self._device_gone
        return refusals

    @property
    def reasons(self) -> dict[Transport, str]:
        """``refusals`` in full sentences."""
        return {transport: refusal.reason for transport, refusal in self.refusals.items()}

    @property
    def shared(self) -> bool:
        """Whether tensors travel through shared memory, of either kind."""
        return self.current.transport != Transport.REQUEST

    @property
    def reason(self) -> str:
        """Why tensors travel in the request; empty where they do not."""
        return "" if self.shared else self.reasons.get(Transport.SYSTEM) or self.reasons.get(Transport.CUDA, "")

    async def refresh(self, catalogue: Catalogue) -> None:
        """Make the memory fit a new catalogue, before the catalogue is served.

        Raises:
            TritonUnavailable, DeadlineExceeded: Triton is away; the catalogue must be given again.
        """
        if not catalogue.triton_up:
            return
        async with self._replacing:
            restarted = catalogue.generation != self._registered_generation
            if restarted:
                self.refusals = self._settled_refusals()
            self._outputs = catalogue.raw_outputs
            # never smaller: frames that wait were measured against an earlier catalogue
            needed = max(catalogue.largest_input_bytes, self.current.slot_bytes)
            if restarted or needed > self.current.slot_bytes or not self._is_best():
                await self._replace(needed)
            self._registered_generation = catalogue.generation
            self._expect_outputs()

    def _is_best(self) -> bool:
        if self.current.transport != self._chain()[0]:
            return False
        return self.current.transport != Transport.CUDA or self._output_bytes() <= self.current.output_bytes

    def _chain(self) -> tuple[Transport, ...]:
        """What may be tried, best first."""
        known = (Transport.SYSTEM, Transport.REQUEST)
        chain = known if self._make_device_memory is None else (Transport.CUDA, *known)
        return tuple(transport for transport in chain if transport not in self.refusals)

    def _output_bytes(self) -> int:
        return max((output.size_bytes for output in self._outputs.values()), default=0)

    def _expect_outputs(self) -> None:
        memory = self.current
        before = {build: memory.raw_output(build) for build in self._outputs}
        memory.expect_outputs(self._outputs)
        if before != {build: memory.raw_output(build) for build in self._outputs}:
            self._client.forget()

    async def _replace(self, slot_bytes: int) -> None:
        self._take(await self._create(slot_bytes))

    def _take(self, memory: FrameMemory) -> None:
        """From here on frames get slots of this memory; the old one goes when its last frame is done."""
        old, self.current = self.current, memory
        self._client.forget()
        self._on_transport(memory.transport)
        self._let_go(old)

    def _let_go(self, old: FrameMemory) -> None:
        task = asyncio.create_task(self._end(old))
        self._ending[task] = old
        task.add_done_callback(self._ending.pop)

    async def _end(self, old: FrameMemory) -> None:
        """In this order, however long it takes: memory of a GPU must not be freed while Triton has it open."""
        await old.wait_until_back()
        for seconds in self._pauses():
            if await self._forget_region(old):
                break
            await asyncio.sleep(seconds)
        old.retire()

    def _pauses(self) -> Iterator[float]:
        return chain(self._pauses_seconds, repeat(self._pauses_seconds[-1]))

    async def _create(self, slot_bytes: int) -> FrameMemory:
        await self._settle_unanswered()
        still_open = sum(memory.transport == Transport.CUDA for memory in self._ending.values())
        if still_open >= _MOST_OPEN and Transport.CUDA in self._chain():
            reason = f"Triton has {still_open} older regions open: restart it"
            self._refuse(Transport.CUDA, Refusal("kept_by_triton", reason))
        for transport in self._chain()[:-1]:
            try:
                memory = self._make(transport, slot_bytes)
            except Exception as error:  # the packages around a driver fail in ways of their own
                known = isinstance(error, OSError | BackendError)
                if not known and transport != Transport.CUDA:
                    raise
                what = str(error) if known else f"{type(error).__name__}: {error}"
                self._refuse(transport, Refusal("not_created", f"cannot create it: {what}"))
                continue
            if not await self._is_registered(memory):
                continue
            if transport not in self.refusals:
                return memory
            self._let_go(memory)  # the GPU was lost meanwhile
        return HostFrameMemory(None, self._slots, slot_bytes)

    def _make(self, transport: Transport, slot_bytes: int) -> FrameMemory:
        self._made += 1
        # a name that cannot be guessed: whoever knows it could have Triton read and write there
        name = f"{self._prefix}{self._made}_{secrets.token_hex(8)}"
        if transport == Transport.CUDA and self._make_device_memory is not None:
            return self._make_device_memory(name, self._slots, slot_bytes, self._output_bytes())
        return HostFrameMemory(name, self._slots, slot_bytes)

    async def _is_registered(self, memory: FrameMemory) -> bool:
        self._unanswered = memory
        try:
            await self._client.register(memory)
        except TritonRejected as error:
            self._unanswered = None
            memory.retire()
            self._refuse(memory.transport, Refusal("refused_by_triton", f"Triton cannot open it: {error}"))
            return False
        self._unanswered = None
        return True

    async def _settle_unanswered(self) -> None:
        """Triton may have opened a region and not been heard; there is no other one before it is known.

        Raises:
            TritonUnavailable, DeadlineExceeded: Triton is away.
        """
        memory = self._unanswered
        if memory is None:
            return
        try:
            await self._client.unregister(memory)
        except TritonRejected:
            self._let_go(memory)
        else:
            memory.retire()
        self._unanswered = None

    async def register_again(self, memory: FrameMemory) -> None:
        """Make Triton know a region that it has lost.

        Raises:
            TritonUnavailable, DeadlineExceeded: Triton is away.
            TritonRejected: It cannot open the region; the catalogue that follows its restart brings another memory.
        """
        try:
            await self._client.register(memory)
        except TritonRejected as error:
            if error.code != TritonCode.ALREADY_EXISTS:  # another frame was quicker
                raise

    def leave_device(self, reason: str) -> None:
        """The GPU does not work any more: from this call on frames get slots that the CPU can write.

        Args:
            reason: Why, for those who look.
        """
        if self._make_device_memory is None:
            return
        self._make_device_memory, self._device_gone = None, Refusal("gpu_lost", reason)
        self._refuse(Transport.CUDA, self._device_gone)
        if self.current.transport == Transport.CUDA:
            self._take_another()
        else:
            self._on_transport(self.current.transport)

    def leave(self, memory: FrameMemory) -> None:
        """Triton did not answer and may write into a slot of this memory later: it gets no new frames.

        Args:
            memory: Its slots may be given back after this call.
        """
        if memory is self.current:
            _LOG.warning("slots are made anew, Triton may still write into the old ones", extra={"region": memory.name})
            self._take_another()

    def _take_another(self) -> None:
        self._take(HostFrameMemory(None, self._slots, self.current.slot_bytes))
        if self._recovery is None or self._recovery.done():
            self._recovery = asyncio.create_task(self._recover())

    async def _recover(self) -> None:
        for seconds in self._pauses():
            async with self._replacing:
                try:
                    while not self._is_best():  # a catalogue may be quicker, and frames may leave this memory, too
                        await self._replace(self.current.slot_bytes)
                        self._expect_outputs()
                except GatewayError as error:
                    _LOG.warning("shared memory is tried again", extra={"reason": str(error)})
                else:
                    return
            await asyncio.sleep(seconds)

    def _refuse(self, transport: Transport, refusal: Refusal) -> None:
        self.refusals[transport] = refusal
        _LOG.warning(_SAID[transport], extra={"reason": refusal.reason})

    async def _forget_region(self, memory: FrameMemory) -> bool:
        """Whether Triton is known not to have it open."""
        if memory.name is None:
            return True
        try:
            await self._client.unregister(memory)
        except GatewayError as error:
            _LOG.warning("Triton keeps an old region", extra={"region": memory.name, "reason": str(error)})
            return False
        return True

    async def close(self) -> None:
        """Unregister and free the memory, also that of frames that are not done.

        Memory of a GPU that Triton does not let go stays until this process ends.
        """
        if self._recovery is not None:
            self._recovery.cancel()
            await asyncio.gather(self._recovery, return_exceptions=True)
        remaining = [*self._ending.values(), self.current]
        if self._unanswered is not None:
            remaining.append(self._unanswered)
        ending = tuple(self._ending)
        for task in ending:
            task.cancel()
        await asyncio.gather(*ending, return_exceptions=True)
        await asyncio.gather(*(self._end_at_once(memory) for memory in remaining))

    async def _end_at_once(self, memory: FrameMemory) -> None:
        is_let_go = False
        with suppress(TimeoutError):
            async with asyncio.timeout(_CLOSING_SECONDS):
                is_let_go = await self._forget_region(memory)
                if not is_let_go:
                    await asyncio.sleep(self._pauses_seconds[0])
                    is_let_go = await self._forget_region(memory)
        if is_let_go or memory.transport != Transport.CUDA:
            memory.retire()
