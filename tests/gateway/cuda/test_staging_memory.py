"""Pinned memory is used again, bounded, and never the reason that a frame fails."""

import threading
import weakref
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import pytest

from gateway.cuda.staging_memory import Block, StagingMemory
from gateway.errors import DeviceLost, DeviceMemoryFull


class Machine:
    """Pins memory, and says what it had to."""

    def __init__(self) -> None:
        self.asked: list[int] = []
        self.trouble: Exception | None = None

    def pin(self, size_bytes: int) -> Block:
        if self.trouble is not None:
            raise self.trouble
        self.asked.append(size_bytes)
        return np.zeros(size_bytes, np.uint8)


def test_a_block_is_used_again_for_a_frame_of_about_its_size() -> None:
    machine = Machine()
    staging = StagingMemory(machine.pin)
    first = staging.take(100_000)
    staging.give_back(first)
    assert staging.take(131_072) is first
    assert machine.asked == [131_072]
    assert staging.take(100_000) is not first


def test_pinned_memory_is_bounded_and_the_rest_is_ordinary() -> None:
    machine = Machine()
    staging = StagingMemory(machine.pin, most_bytes=3 * 65_536)
    blocks = [staging.take(65_536) for _ in range(4)]
    assert all(block.size >= 65_536 for block in blocks)
    assert machine.asked == [65_536] * 3
    for block in blocks:
        staging.give_back(block)
    assert not any(staging.take(1) is blocks[3] for _ in range(3))
    assert staging.pinned_bytes == 3 * 65_536


def test_blocks_of_another_size_make_room() -> None:
    machine = Machine()
    staging = StagingMemory(machine.pin, most_bytes=262_144)
    small = [staging.take(65_536) for _ in range(4)]
    for block in small:
        staging.give_back(block)
    staging.take(200_000)
    assert machine.asked == [65_536] * 4 + [262_144]
    assert staging.pinned_bytes == 262_144


def test_blocks_that_make_room_are_given_back_at_once() -> None:
    machine, left, alive = Machine(), list[int](), list[weakref.ref[Block]]()

    @contextmanager
    def freeing() -> Iterator[None]:
        yield
        left.append(sum(each() is not None for each in alive))

    staging = StagingMemory(machine.pin, freeing=freeing, most_bytes=262_144)
    blocks = [staging.take(65_536) for _ in range(4)]
    alive += [weakref.ref(block) for block in blocks]
    while blocks:
        staging.give_back(blocks.pop())
    staging.take(200_000)
    assert left == [0]
    assert staging.pinned_bytes == 262_144


def test_a_machine_that_pins_no_more_gives_ordinary_memory() -> None:
    machine = Machine()
    machine.trouble = DeviceMemoryFull(65_536, 0)
    staging = StagingMemory(machine.pin)
    block = staging.take(1000)
    staging.give_back(block)
    assert block.size >= 1000
    assert staging.pinned_bytes == 0


def test_a_lost_gpu_is_not_hidden() -> None:
    machine = Machine()
    machine.trouble = DeviceLost("gone")
    with pytest.raises(DeviceLost):
        StagingMemory(machine.pin).take(1000)


def test_giving_back_does_not_wait_for_the_driver() -> None:
    machine, ended = Machine(), list[bool]()

    def pin_slowly(size_bytes: int) -> Block:
        if size_bytes > 65_536:
            gives_back = threading.Thread(target=staging.give_back, args=(small,), daemon=True)
            gives_back.start()
            gives_back.join(10.0)
            ended.append(not gives_back.is_alive())
        return machine.pin(size_bytes)

    staging = StagingMemory(pin_slowly)
    small = staging.take(65_536)
    staging.take(131_072)
    assert ended == [True]
    assert staging.take(65_536) is small
