"""The memory that frames are prepared in: one region, cut into equal slots, shared with Triton where possible."""

import math
import mmap
import os
from collections import deque
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

SHARED_MEMORY_DIR = Path("/dev/shm")  # noqa: S108 - POSIX shared memory, named and opened exclusively
_PAGE_BYTES = 4096


class FrameMemory:
    """A ring of slots, each as large as the largest input tensor.

    A slot is handed out by ``acquire`` and comes back by ``release``; admission bounds how many are out. After
    ``retire`` the memory is freed as soon as the last slot is back.

    Args:
        name: Name of the POSIX shared memory object, or None for private memory (tensors then travel in the request).
        slots: Number of slots.
        slot_bytes: Least size of a slot; rounded up to whole pages.

    Raises:
        OSError: The region cannot be created (exists, no space in /dev/shm).
    """

    def __init__(self, name: str | None, slots: int, slot_bytes: int) -> None:
        self.name = name
        self.slots = slots
        self.slot_bytes = -(-slot_bytes // _PAGE_BYTES) * _PAGE_BYTES
        self._free = deque(range(slots))
        self._retired = False
        self._map = _create_map(name, self.size_bytes)

    @property
    def shared(self) -> bool:
        """Whether Triton can read the slots."""
        return self.name is not None

    @property
    def size_bytes(self) -> int:
        """Bytes of the whole region."""
        return self.slots * self.slot_bytes

    def offset(self, slot: int) -> int:
        """Where the slot begins in the region, in bytes."""
        return slot * self.slot_bytes

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
        return self._free.popleft()

    def release(self, slot: int) -> None:
        """Bring a slot back."""
        self._free.append(slot)
        self._free_when_done()

    def retire(self) -> None:
        """Free the memory now, or when the slots that are still out are back."""
        self._retired = True
        if self.name is not None:
            (SHARED_MEMORY_DIR / self.name).unlink(missing_ok=True)
        self._free_when_done()

    def _free_when_done(self) -> None:
        if self._retired and len(self._free) == self.slots:
            self._map = mmap.mmap(-1, _PAGE_BYTES)  # views that are still alive keep the old pages until they go


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
