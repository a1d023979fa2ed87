"""Children that do not outlive this process, however it ends.

Run as a program, ``parent_death.py <pid of the parent> <command> ...``, it asks the kernel for a signal at the parent's
death and becomes the command. Doing that between fork and exec instead would run Python beside threads that it lost.
"""

import ctypes
import os
import signal
import sys
from collections.abc import Sequence

_PR_SET_PDEATHSIG = 1


def ending_with_parent(command: Sequence[str]) -> list[str]:
    """A command line for a child that even kill -9 of this process ends: it is told to end its own.

    Args:
        command: Program and arguments.
    """
    return [sys.executable, "-E", "-S", __file__, str(os.getpid()), *command]


def _become(parent_pid: int, command: list[str]) -> None:
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != parent_pid:  # it ended before the kernel was asked
        sys.exit(1)
    os.execvp(command[0], command)  # noqa: S606 - no shell is wanted


if __name__ == "__main__":
    _become(int(sys.argv[1]), sys.argv[2:])
