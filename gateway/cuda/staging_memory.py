"""Memory that decoded frames wait in until they are copied to the GPU."""

import threading
from collections import defaultdict
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext

import numpy as np
from numpy.typing import NDArray

from gateway.errors import DeviceMemoryFull

Block = NDArray[np.uint8]

_SMALLEST_BITS = 16
_MOST_BYTES = 256 * 2**20


class StagingMemory:
    """Hands out blocks of pinned memory and uses them again: pinning takes longer than decoding a frame.

    A block has a power of two of bytes. Where that would be more pinned memory than is allowed, or than the machine
    gives, a block is ordinary memory: the copy to the GPU is slower then, and nothing else differs. Threads may share
    it.

    Args:
        allocate_pinned: Pins so many bytes.
        freeing: Gives back, at its end, what is let go of inside.
        most_bytes: Bound of the pinned memory.
    """

    def __init__(
        self,
        allocate_pinned: Callable[[int], Block],
        *,
        freeing: Callable[[], AbstractContextManager[None]] = nullcontext,
        most_bytes: int = _MOST_BYTES,
    ) -> None:
        self._allocate_pinned = allocate_pinned
        self._freeing = freeing
        self._most_bytes = most_bytes
        self._lock = threading.Lock()
        self._free: dict[int, list[Block]] = defaultdict(list)
        self._pinned: set[int] = set()
        self.pinned_bytes = 0

    def take(self, size_bytes: int) -> Block:
        """A block with room for so many bytes: uint8, one axis.

        Raises:
            DeviceLost, DeviceRefused: The GPU does not pin memory any more.
        """
        rounded = 1 << max(_SMALLEST_BITS, (size_bytes - 1).bit_length())
        let_go: list[Block] = []
        with self._lock:
            if self._free[rounded]:
                return self._free[rounded].pop()
            if self.pinned_bytes + rounded > self._most_bytes:
                let_go = self._take_free()
            fits = self.pinned_bytes + rounded <= self._most_bytes
            if fits:
                self.pinned_bytes += rounded
        self._let_go(let_go)
        return self._pin(rounded) if fits else np.empty(rounded, np.uint8)

    def _pin(self, size_bytes: int) -> Block:
        try:
            block = self._allocate_pinned(size_bytes)
        except Exception as error:
            with self._lock:
                self.pinned_bytes -= size_bytes
            if isinstance(error, DeviceMemoryFull):
                return np.empty(size_bytes, np.uint8)
            raise
        with self._lock:
            self._pinned.add(id(block))
        return block

    def give_back(self, block: Block) -> None:
        """The block may be used again."""
        with self._lock:
            if id(block) in self._pinned:
                self._free[block.size].append(block)

    def drop(self) -> None:
        """Give back all blocks that no frame has."""
        with self._lock:
            let_go = self._take_free()
        self._let_go(let_go)

    def _take_free(self) -> list[Block]:
        found = [block for blocks in self._free.values() for block in blocks]
        self._free.clear()
        self._pinned.difference_update(map(id, found))
        self.pinned_bytes -= sum(block.size for block in found)
        return found

    def _let_go(self, blocks: list[Block]) -> None:
        """Outside the lock: the driver may take its time, and the event loop gives blocks back."""
        if blocks:
            with self._freeing():
                blocks.clear()
