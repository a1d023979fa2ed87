"""Closed loop: each of some clients sends its next frame when the last one is answered."""

import asyncio
import itertools
import time
from collections.abc import Callable, Iterator

from gateway.load.frame_sender import OK, FrameSender
from gateway.load.load_window import LoadWindow
from gateway.load.request_record import RequestRecord

FAILURE_PAUSE_SECONDS = 0.02
"""A client whose request failed waits, or it would ask a server that is down as fast as it can."""


async def run_closed_loop(
    sender: FrameSender,
    window: LoadWindow,
    *,
    clients: int,
    max_requests: int | None = None,
    clock: Callable[[], float] = time.perf_counter,
) -> list[RequestRecord]:
    """Keep ``clients`` requests in work until the window ends.

    Args:
        sender: Sends.
        window: When; a reading of ``clock``.
        clients: Requests in work.
        max_requests: End early after this many.
        clock: Seconds.

    Returns:
        Every request, warm-up included, in order of completion.
    """
    records: list[RequestRecord] = []
    frames = iter(range(max_requests)) if max_requests is not None else itertools.count()
    await asyncio.gather(*(_client(number, sender, window, frames, records, clock) for number in range(clients)))
    return records


async def _client(
    number: int,
    sender: FrameSender,
    window: LoadWindow,
    frames: Iterator[int],
    records: list[RequestRecord],
    clock: Callable[[], float],
) -> None:
    for frame in frames:
        sent_at = clock()
        if sent_at >= window.ends_at:
            return
        outcome = await sender.send(number, frame)
        records.append(RequestRecord(sent_at, sent_at, clock(), outcome.code, outcome.stages))
        if outcome.code != OK:
            await asyncio.sleep(FAILURE_PAUSE_SECONDS)
