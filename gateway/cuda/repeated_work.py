"""Work that is done beside the frames, again and again."""

import threading
from collections.abc import Callable

_END_SECONDS = 2.0


class RepeatedWork:
    """A thread that does something whenever it is asked to, and from then on again and again.

    The thread begins with the first request, and keeps no process alive.

    Args:
        work: What is done. It may take long, or never end; it handles its errors.
        again_seconds: After the last time.
    """

    def __init__(self, work: Callable[[], None], again_seconds: float) -> None:
        self._work = work
        self._again_seconds = again_seconds
        self._asked = threading.Event()
        self._ended = False
        self._thread: threading.Thread | None = None

    def ask(self) -> None:
        """Do it soon; returns at once. While it is being done, it is done once more."""
        self._asked.set()
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="repeated work", daemon=True)
            self._thread.start()

    def _run(self) -> None:
        while True:
            self._asked.wait(self._again_seconds)
            self._asked.clear()
            if self._ended:
                return
            self._work()

    def close(self) -> None:
        """Begin it no more; what is being done gets two seconds to end."""
        self._ended = True
        self._asked.set()
        if self._thread is not None:
            self._thread.join(_END_SECONDS)
