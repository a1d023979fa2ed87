"""Keeps the frame memory large enough for the loaded builds and known to the running Triton."""

import logging
import secrets
from collections.abc import Callable

from gateway.catalogue import Catalogue
from gateway.errors import GatewayError, TritonCode, TritonRejected
from gateway.frame_memory import FrameMemory
from gateway.triton.frame_client import FrameClient

_LOG = logging.getLogger(__name__)


class FrameRegions:
    """Owns the current ``FrameMemory``.

    Shared memory is tried at the first Triton seen; where Triton cannot open it, tensors travel in the request, and
    ``reason`` says why.

    Args:
        client: Where regions are registered.
        prefix: Beginning of the names of the regions, unique to this process.
        slots: Frames that may be in work at one time.
        use_shared_memory: False sends tensors in the request from the start.
        on_mode: Told whether tensors travel through shared memory, at each change.
    """

    def __init__(
        self,
        client: FrameClient,
        prefix: str,
        slots: int,
        *,
        use_shared_memory: bool,
        on_mode: Callable[[bool], None],
    ) -> None:
        self._client = client
        self._prefix = prefix
        self._slots = slots
        self._use_shared_memory = use_shared_memory
        self._on_mode = on_mode
        self._made = 0
        self._registered_generation = -1
        self.reason = "" if use_shared_memory else "switched off by the setting shared_memory"
        self.current = FrameMemory(None, slots, 1)

    async def refresh(self, catalogue: Catalogue) -> None:
        """Make the memory fit a new catalogue, before the catalogue is served.

        Raises:
            TritonUnavailable, DeadlineExceeded: Triton is away; the catalogue must be given again.
        """
        if not catalogue.triton_up:
            return
        # never smaller: frames that wait were measured against an earlier catalogue
        needed = max(catalogue.largest_input_bytes, self.current.slot_bytes)
        restarted = catalogue.generation != self._registered_generation
        if needed <= self.current.slot_bytes and self.current.shared == self._use_shared_memory and not restarted:
            return
        await self._replace(needed, restarted=restarted)
        self._registered_generation = catalogue.generation
        self._on_mode(self.current.shared)

    async def _replace(self, slot_bytes: int, *, restarted: bool) -> None:
        old = self.current
        self.current = await self._create(slot_bytes)
        self._client.forget()
        old.retire()
        if old.name is not None and not restarted:
            await self._forget_region(old.name)

    async def _create(self, slot_bytes: int) -> FrameMemory:
        if self._use_shared_memory:
            self._made += 1
            try:
                # a name that cannot be guessed: whoever knows it could have Triton read and write there
                name = f"{self._prefix}{self._made}_{secrets.token_hex(8)}"
                memory = FrameMemory(name, self._slots, slot_bytes)
            except OSError as error:
                self._fall_back(f"cannot create shared memory: {error}")
            else:
                return await self._register(memory)
        return FrameMemory(None, self._slots, slot_bytes)

    async def _register(self, memory: FrameMemory) -> FrameMemory:
        try:
            await self._client.register(memory)
        except TritonRejected as error:
            slot_bytes = memory.slot_bytes
            memory.retire()
            self._fall_back(f"Triton cannot use our shared memory: {error}")
            return FrameMemory(None, self._slots, slot_bytes)
        except GatewayError:  # Triton is away: it will be asked again
            memory.retire()
            raise
        return memory

    async def register_again(self, memory: FrameMemory) -> None:
        """Make Triton know a region that it has lost.

        Raises:
            TritonUnavailable, DeadlineExceeded: Triton is away.
        """
        try:
            await self._client.register(memory)
        except TritonRejected as error:
            if error.code != TritonCode.ALREADY_EXISTS:  # another frame was quicker
                raise

    def _fall_back(self, reason: str) -> None:
        self._use_shared_memory = False
        self.reason = reason
        _LOG.warning("tensors travel in the request", extra={"reason": reason})

    async def _forget_region(self, name: str) -> None:
        try:
            await self._client.unregister(name)
        except GatewayError as error:
            _LOG.warning("Triton keeps an old region", extra={"region": name, "reason": str(error)})

    async def close(self) -> None:
        """Unregister and free the memory."""
        if self.current.name is not None:
            await self._forget_region(self.current.name)
        self.current.retire()
