"""psutil, told where ``/proc`` is."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

import psutil

_LOCK = threading.Lock()


@contextmanager
def psutil_at(procfs: Path) -> Iterator[ModuleType]:
    """The library, reading this folder: it takes it from one variable for the whole process.

    Args:
        procfs: ``/proc``, or what stands for it.
    """
    with _LOCK:
        before = psutil.PROCFS_PATH
        psutil.PROCFS_PATH = str(procfs)
        try:
            yield psutil
        finally:
            psutil.PROCFS_PATH = before
