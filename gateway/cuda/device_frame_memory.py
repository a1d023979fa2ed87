"""The memory that frames are prepared in, on a GPU: Triton opens it by CUDA IPC, no tensor passes the host."""

import logging
from collections.abc import Collection, Mapping
from contextlib import AbstractContextManager
from typing import Any, Protocol

from gateway.device_output import DeviceOutput, RawOutput
from gateway.errors import BackendError
from gateway.frame_memory import DeviceHandle, whole_pages
from gateway.slot_ring import SlotRing
from gateway.transport import Transport

_LOG = logging.getLogger(__name__)
# CUDA programming guide, "Interprocess Communication": smaller allocations may share their block, which is shared whole
_SHARED_BLOCK_BYTES = 2 * 2**20


class SharingDevice(Protocol):
    """A GPU that shares its memory with other processes."""

    @property
    def ordinal(self) -> int:
        """The GPU, as CUDA counts them here."""
        ...

    def allocate(self, size_bytes: int) -> Any:
        """Memory on the GPU, uint8, one axis."""
        ...

    def ipc_handle(self, values: Any) -> bytes:
        """What another process opens it with, 64 bytes."""
        ...

    def freeing(self) -> AbstractContextManager[None]:
        """Gives back what the block lets go of, at its end."""
        ...


class OutputReader(Protocol):
    """Reads what models have written on the GPU."""

    def expect(self, region: str, kinds: Collection[RawOutput]) -> None:
        """Such outputs come from here on, and no others, all into this region; returns at once."""
        ...

    def forget(self, region: str) -> None:
        """No outputs come into this region any more; returns at once."""
        ...

    def output(self, values: Any, begin: int, kind: RawOutput) -> DeviceOutput:
        """The output that begins at a byte of an array on the GPU."""
        ...


class DeviceFrameMemory:
    """``FrameMemory`` on a GPU: one allocation, in each slot an input part and behind it an output part.

    Args:
        device: Where it lies.
        reader: Reads the outputs.
        name: The region's name at Triton.
        slots: Number of slots.
        slot_bytes: Least size of an input part; rounded up to whole pages.
        output_bytes: Least size of an output part; 0 for none.

    Raises:
        DeviceMemoryFull: The GPU has not as much.
        DeviceRefused: It shares no memory.
        DeviceLost: It does not work.
    """

    transport = Transport.CUDA

    def __init__(
        self, device: SharingDevice, reader: OutputReader, name: str, slots: int, slot_bytes: int, output_bytes: int = 0
    ) -> None:
        self.name = name
        self.slots = slots
        self.slot_bytes = whole_pages(slot_bytes)
        self.output_bytes = whole_pages(output_bytes)
        self._device = device
        self._reader = reader
        self._outputs: Mapping[str, RawOutput] = {}
        self._values = device.allocate(-(-self.size_bytes // _SHARED_BLOCK_BYTES) * _SHARED_BLOCK_BYTES)
        try:
            self.device_handle = DeviceHandle(device.ipc_handle(self._values), device.ordinal)
        except Exception:  # whatever it was, the memory goes back before it is told
            self._free()
            raise
        self._ring = SlotRing(slots, self._free)

    @property
    def size_bytes(self) -> int:
        """Bytes of the region that Triton is told of."""
        return self.slots * (self.slot_bytes + self.output_bytes)

    @property
    def values(self) -> Any:
        """The whole region: uint8, one axis, on the GPU."""
        return self._values

    def offset(self, slot: int) -> int:
        """Where the slot, and its input tensor, begins in the region, in bytes."""
        return slot * (self.slot_bytes + self.output_bytes)

    def output_offset(self, slot: int) -> int:
        """Where the output part of the slot begins in the region, in bytes."""
        return self.offset(slot) + self.slot_bytes

    def expect_outputs(self, outputs: Mapping[str, RawOutput]) -> None:
        """Tell what the builds may write into the slots; what does not fit comes in the answer."""
        fitting = {build: kind for build, kind in outputs.items() if kind.size_bytes <= self.output_bytes}
        self._reader.expect(self.name, frozenset(fitting.values()))
        self._outputs = fitting

    def raw_output(self, build: str) -> RawOutput | None:
        """What a build writes into the output part; None where its output comes in the answer."""
        return self._outputs.get(build)

    def output(self, kind: RawOutput, slot: int) -> DeviceOutput:
        """What a build has written into the slot; valid until the slot is released."""
        return self._reader.output(self._values, self.output_offset(slot), kind)

    def acquire(self) -> int:
        """Take a slot out. Admission never lets more frames in than there are slots."""
        return self._ring.acquire()

    def release(self, slot: int) -> None:
        """Bring a slot back."""
        self._ring.release(slot)

    async def wait_until_back(self) -> None:
        """Return when no slot is out."""
        await self._ring.wait_until_back()

    def retire(self) -> None:
        """Free the memory now, or when the slots that are still out are back; Triton must not have it open then."""
        self._reader.forget(self.name)
        self._ring.retire()

    def _free(self) -> None:
        try:
            with self._device.freeing():
                self._values = None
        except BackendError as error:  # memory of a lost GPU is gone anyway
            self._values = None
            _LOG.warning("memory of the GPU was not given back", extra={"region": self.name, "reason": str(error)})
