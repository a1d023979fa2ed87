"""A process of Triton's Python backend outlives a killed Triton; this makes it leave."""

import os
import threading
import time


def leave_with_parent(*, poll_seconds: float = 0.5) -> None:
    """Ends this process at once when the process that is its parent now is gone.

    The kernel's parent-death signal will not do: it fires when the thread that forked ends, and Triton forks from a
    thread that only loads models.
    """
    parent = os.getppid()
    threading.Thread(target=_watch, args=(parent, poll_seconds), name="orphan-watch", daemon=True).start()


def _watch(parent: int, poll_seconds: float) -> None:
    while os.getppid() == parent:
        time.sleep(poll_seconds)
    os._exit(1)
