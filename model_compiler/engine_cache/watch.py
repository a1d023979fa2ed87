"""Looks at the builds again and again until this process is told to end."""

import os
import signal
import sys
import threading
from collections.abc import Callable
from types import FrameType

from model_compiler.engine_cache.device_builder import DeviceBuilder

_JOIN_SECONDS = 1.0


def watch(builder: DeviceBuilder, tell: Callable[[str], None], interval_seconds: float) -> None:
    """Run until SIGTERM or SIGINT.

    The looks run in a thread: TensorRT may work for minutes, and Python's handlers of signals run in the main thread
    alone, and only between two steps of it. A look that is in the middle of a plan is not waited for: the process ends,
    and the next one makes that plan anew.

    Args:
        builder: Looks at the builds.
        tell: Takes a line for people.
        interval_seconds: Between two looks.
    """
    ending = threading.Event()

    def end(_number: int, _frame: FrameType | None) -> None:
        ending.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, end)
    looks = threading.Thread(target=_look_until, args=(builder, tell, interval_seconds, ending), daemon=True)
    looks.start()
    while looks.is_alive() and not ending.wait(0.5):
        pass
    looks.join(_JOIN_SECONDS)
    if looks.is_alive():
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(0)


def _look_until(
    builder: DeviceBuilder, tell: Callable[[str], None], interval_seconds: float, ending: threading.Event
) -> None:
    said = ""
    while not ending.is_set():
        try:
            builder.look()
            said = ""
        except OSError as error:
            if str(error) != said:
                said = str(error)
                tell(f"the builds cannot be read: {error}; they are looked at again")
        ending.wait(interval_seconds)
