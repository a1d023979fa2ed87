"""Reads the sources side by side, and waits for none of them longer than it may take."""

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass

from device_agent.sensors.reading import Reading, Source


@dataclass(slots=True)
class _Attempt:
    reading: Reading
    thread: threading.Thread
    late: bool = False


class BoundedReader:
    """A bus without an answer, or a GPU that is gone, blocks its reader in the kernel; here it costs only itself.

    Args:
        sources: What is read.
        limit_seconds: How long one reading may take.
    """

    def __init__(self, sources: Sequence[Source], limit_seconds: float) -> None:
        self._sources = sources
        self._limit_seconds = limit_seconds
        self._attempts: dict[str, _Attempt] = {}

    def read(self) -> list[Reading]:
        """One reading per source; one that is late says so, and is not waited for again until it is back."""
        end = time.monotonic() + self._limit_seconds
        for attempt in self._attempts.values():
            attempt.late = attempt.thread.is_alive()
        for source in self._sources:
            before = self._attempts.get(source.name)
            if before is None or not before.late:
                self._attempts[source.name] = _start(source)
        return [self._finish(self._attempts[source.name], end) for source in self._sources]

    def _finish(self, attempt: _Attempt, end: float) -> Reading:
        if not attempt.late:
            attempt.thread.join(max(0.0, end - time.monotonic()))
            attempt.late = attempt.thread.is_alive()
        if not attempt.late:
            return attempt.reading
        reading = Reading(attempt.reading.source)
        reading.failures["all"] = f"no answer within {self._limit_seconds:g} s"
        return reading


def _start(source: Source) -> _Attempt:
    reading = Reading(source.name)
    # Daemons: one that hangs must not keep the process from ending.
    thread = threading.Thread(target=_read, args=(source, reading), name=source.name, daemon=True)
    thread.start()
    return _Attempt(reading, thread)


def _read(source: Source, reading: Reading) -> None:
    try:
        source.read(reading)
    except Exception as error:  # noqa: BLE001 - whatever it is, the other sources are to be shown
        reading.failures["all"] = f"{type(error).__name__}: {error}"
