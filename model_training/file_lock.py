"""Locks between processes."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def file_lock(path: Path, *, wait: bool) -> Iterator[None]:
    """Hold a file for this process alone; the kernel lets go of it when the process ends, however it ends.

    Args:
        path: Made if need be, with its folder; it stays.
        wait: Until another process lets go of it.

    Raises:
        BlockingIOError: Another process holds it, and ``wait`` is false.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("ab") as file:
        fcntl.flock(file, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
