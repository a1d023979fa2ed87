import asyncio

import pytest

from gateway.slot_ring import SlotRing


def test_slots_come_in_turn_and_the_memory_goes_once_after_the_last() -> None:
    freed: list[str] = []
    ring = SlotRing(2, lambda: freed.append("freed"))
    assert [ring.acquire(), ring.acquire()] == [0, 1]
    ring.release(1)
    ring.release(0)
    assert [ring.acquire(), ring.acquire()] == [1, 0]
    ring.retire()
    ring.release(0)
    assert freed == []
    ring.release(1)
    ring.retire()
    assert freed == ["freed"]


def test_more_than_there_are_is_an_error() -> None:
    ring = SlotRing(1, lambda: None)
    ring.acquire()
    with pytest.raises(IndexError):
        ring.acquire()


async def test_waiting_ends_when_the_last_slot_is_back() -> None:
    ring = SlotRing(2, lambda: None)
    await ring.wait_until_back()
    slots = [ring.acquire(), ring.acquire()]
    waiting = asyncio.create_task(ring.wait_until_back())
    ring.release(slots[0])
    await asyncio.sleep(0)
    assert not waiting.done()
    ring.release(slots[1])
    await waiting
