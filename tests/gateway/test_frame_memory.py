import uuid
from collections.abc import Iterator

import numpy as np
import pytest

from gateway.frame_memory import SHARED_MEMORY_DIR, HostFrameMemory, remove_stale_regions
from gateway.transport import Transport


@pytest.fixture
def prefix() -> Iterator[str]:
    name = f"outpost_test_{uuid.uuid4().hex}_"
    yield name
    remove_stale_regions(name)


def test_slots_are_apart_and_written_where_the_offset_says(prefix: str) -> None:
    memory = HostFrameMemory(f"{prefix}1", slots=3, slot_bytes=5000)
    assert memory.slot_bytes == 8192
    slot = [memory.acquire() for _ in range(3)][1]
    memory.array(slot, (1, 10, 10, 3), np.uint8)[:] = 7
    content = (SHARED_MEMORY_DIR / f"{prefix}1").read_bytes()
    assert len(content) == memory.size_bytes == 3 * 8192
    offset = memory.offset(slot)
    assert content[offset : offset + 300] == b"\x07" * 300
    assert content.count(b"\x07") == 300


def test_a_region_is_freed_when_its_last_slot_is_back(prefix: str) -> None:
    memory = HostFrameMemory(f"{prefix}1", slots=2, slot_bytes=4096)
    slot = memory.acquire()
    view = memory.array(slot, (16,), np.uint8)
    memory.retire()
    assert not (SHARED_MEMORY_DIR / f"{prefix}1").exists()
    view[:] = 1  # the frame in work still has its pages
    memory.release(slot)
    assert view.sum() == 16


def test_a_name_that_exists_is_refused(prefix: str) -> None:
    HostFrameMemory(f"{prefix}1", 1, 1)
    with pytest.raises(FileExistsError):
        HostFrameMemory(f"{prefix}1", 1, 1)


def test_too_large_a_region_fails_at_once_and_leaves_nothing(prefix: str) -> None:
    with pytest.raises(OSError, match=r"No space|Cannot allocate|too large"):
        HostFrameMemory(f"{prefix}1", 1, 2**50)
    assert not (SHARED_MEMORY_DIR / f"{prefix}1").exists()


def test_private_memory_has_no_name() -> None:
    memory = HostFrameMemory(None, 2, 100)
    assert memory.transport == Transport.REQUEST
    memory.array(memory.acquire(), (4,), np.float32)[:] = 1.5


def test_what_a_killed_process_left_is_removed_by_prefix(prefix: str) -> None:
    for number in range(2):
        (SHARED_MEMORY_DIR / f"{prefix}{number}").write_bytes(b"x")
    assert remove_stale_regions(prefix) == (f"{prefix}0", f"{prefix}1")
    assert not list(SHARED_MEMORY_DIR.glob(f"{prefix}*"))
