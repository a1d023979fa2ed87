"""Children that do not outlive this process, however it ends."""

import ctypes
import os
import signal

_PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None)


def end_with_parent(parent_pid: int) -> None:
    """For ``preexec_fn``: even kill -9 of this process ends the child, which is then told to end its own.

    Args:
        parent_pid: Of the process that forks, taken before it does: a child whose parent ended in between ends at once.
    """
    _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != parent_pid:
        os._exit(1)
