"""The memory that frames are prepared in: one region, cut into equal slots, shared with Triton where possible."""

import math
import mmap
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from gateway.device_output import ModelOutput, RawOutput
from gateway.slot_ring import SlotRing
from gateway.transport import Transport

SHARED_MEMORY_DIR = Path("/dev/shm")  # noqa: S108 - POSIX shared memory, named and opened exclusively
PAGE_BYTES = 4096


@dataclass(frozen=True, slots=True)
class DeviceHandle:
    """What another process opens GPU memory with.

    Attributes:
        raw: CUDA's IPC handle, 64 bytes.
        device_id: The GPU, as CUDA counts them here.
    """

    raw: bytes
    device_id: int


class FrameMemory(Protocol):
    """A ring of slots; a slot has room for the largest input tensor, and behind it for what a model writes there.

    A slot is handed out by ``acquire`` and comes back by ``release``; admission bounds how many are out. After
    ``retire`` the memory is freed as soon as the last slot is back.
    """

    @property
    def name(self) -> str | None:
        """The region's name at Triton; None where tensors travel in the request."""
        ...

    @property
    def transport(self) -> Transport:
        """How a tensor in a slot reaches Triton."""
        ...

    @property
    def device_handle(self) -> DeviceHandle | None:
        """What Triton opens the region with where it lies on a GPU, else None."""
        ...

    @property
    def slots(self) -> int:
        """Number of slots."""
        ...

    @property
    def slot_bytes(self) -> int:
        """Room for an input tensor in each slot, whole pages."""
        ...

    @property
    def output_bytes(self) -> int:
        """Room for an output tensor in each slot, whole pages; 0 where outputs come in the answer."""
        ...

    @property
    def size_bytes(self) -> int:
        """Bytes of the whole region."""
        ...

    def offset(self, slot: int) -> int:
        """Where the slot, and its input tensor, begins in the region, in bytes."""
        ...

    def output_offset(self, slot: int) -> int:
        """Where the output part of the slot begins in the region, in bytes."""
        ...

    def expect_outputs(self, outputs: Mapping[str, RawOutput]) -> None:
        """Tell what the builds may write into the slots."""
        ...

    def raw_output(self, build: str) -> RawOutput | None:
        """What a build writes into the output part; None where its output comes in the answer."""
        ...

    def output(self, kind: RawOutput, slot: int) -> ModelOutput:
        """What a build has written into the slot; valid until the slot is released.

        Args:
            kind: What it is: the answer of ``raw_output`` when Triton was asked.
            slot: Where.
        """
        ...

    def acquire(self) -> int:
        """Take a slot out."""
        ...

    def release(self, slot: int) -> None:
        """Bring a slot back."""
        ...

    async def wait_until_back(self) -> None:
        """Return when no slot is out."""
        ...

    def retire(self) -> None:
        """Free the memory now, or when the slots that are still out are back."""
        ...


class HostFrameMemory:
    """``FrameMemory`` in the machine's memory. Outputs come in Triton's answer: a copy costs little there.

    Args:
        name: Name of the POSIX shared memory object, or None for private memory (tensors then travel in the request).
        slots: Number of slots.
        slot_bytes: Least size of a slot; rounded up to whole pages.

    Raises:
        OSError: The region cannot be created (exists, no space in /dev/shm).
    """

    device_handle = None
    output_bytes = 0

    def __init__(self, name: str | None, slots: int, slot_bytes: int) -> None:
        self.name = name
        self.transport = Transport.REQUEST if name is None else Transport.SYSTEM
        self.slots = slots
        self.slot_bytes = whole_pages(slot_bytes)
        self._map = _create_map(name, self.size_bytes)
        self._ring = SlotRing(slots, self._free)

    @property
    def size_bytes(self) -> int:
        """Bytes of the whole region."""
        return self.slots * self.slot_bytes

    def offset(self, slot: int) -> int:
        """Where the slot begins in the region, in bytes."""
        return slot * self.slot_bytes

    def output_offset(self, slot: int) -> int:
        """Where the slot ends: there is no output part."""
        return self.offset(slot) + self.slot_bytes

    def expect_outputs(self, outputs: Mapping[str, RawOutput]) -> None:
        """Outputs come in the answer."""

    def raw_output(self, _build: str) -> None:
        """None: the output comes in the answer."""
        return

    def output(self, kind: RawOutput, slot: int) -> ModelOutput:
        """Nothing is written there.

        Raises:
            TypeError: Always.
        """
        raise TypeError(f"slot {slot} in the machine's memory has no output part for {kind.shape}")

    def array(
        self, slot: int, shape: tuple[int, ...], dtype: type[np.uint8 | np.float32]
    ) -> NDArray[np.uint8 | np.float32]:
        """A writable view of the beginning of a slot."""
        flat: NDArray[np.uint8 | np.float32] = np.frombuffer(
            self._map, dtype=dtype, count=math.prod(shape), offset=self.offset(slot)
        )
        return flat.reshape(shape)

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
        """Free the memory now, or when the slots that are still out are back; nobody finds it by its name after."""
        if self.name is not None:
            (SHARED_MEMORY_DIR / self.name).unlink(missing_ok=True)
        self._ring.retire()

    def _free(self) -> None:
        self._map = mmap.mmap(-1, PAGE_BYTES)  # views that are still alive keep the old pages until they go


def whole_pages(size_bytes: int) -> int:
    """Bytes of the fewest pages that hold so many."""
    return -(-size_bytes // PAGE_BYTES) * PAGE_BYTES


def _create_map(name: str | None, size_bytes: int) -> mmap.mmap:
    if name is None:
        return mmap.mmap(-1, size_bytes)
    path = SHARED_MEMORY_DIR / name
    descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600)
    try:
        os.posix_fallocate(descriptor, 0, size_bytes)  # ENOSPC now, not SIGBUS at the first frame
        return mmap.mmap(descriptor, size_bytes)
    except OSError:
        path.unlink(missing_ok=True)
        raise
    finally:
        os.close(descriptor)


def remove_stale_regions(prefix: str) -> tuple[str, ...]:
    """Unlink the shared memory that an earlier process of this state folder left behind; returns the names."""
    stale = tuple(sorted(path.name for path in SHARED_MEMORY_DIR.glob(f"{prefix}*")))
    for name in stale:
        (SHARED_MEMORY_DIR / name).unlink(missing_ok=True)
    return stale
