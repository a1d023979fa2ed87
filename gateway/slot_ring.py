"""Which slots of a memory are out."""

import asyncio
from collections import deque
from collections.abc import Callable


class SlotRing:
    """Hands slots out and takes them back, in order; admission bounds how many are out.

    Args:
        slots: Number of slots.
        free: Gives the memory back; called once, when the ring is retired and every slot is back.
    """

    def __init__(self, slots: int, free: Callable[[], None]) -> None:
        self._slots = slots
        self._back = deque(range(slots))
        self._free = free
        self._retired = False
        self._all_back = asyncio.Event()
        self._all_back.set()

    def acquire(self) -> int:
        """Take a slot out. Admission never lets more frames in than there are slots."""
        slot = self._back.popleft()
        self._all_back.clear()
        return slot

    def release(self, slot: int) -> None:
        """Bring a slot back."""
        self._back.append(slot)
        if len(self._back) == self._slots:
            self._all_back.set()
            if self._retired:
                self._free()

    async def wait_until_back(self) -> None:
        """Return when no slot is out."""
        await self._all_back.wait()

    def retire(self) -> None:
        """Free the memory now, or when the slots that are still out are back."""
        if self._retired:
            return
        self._retired = True
        if len(self._back) == self._slots:
            self._free()
