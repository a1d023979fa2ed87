"""Open loop: requests go out when they are due, whatever became of those before."""

import asyncio
import time
from collections.abc import Callable, Iterable

from gateway.load.frame_sender import FrameSender
from gateway.load.load_window import LoadWindow
from gateway.load.request_record import RequestRecord


async def run_open_loop(
    sender: FrameSender,
    window: LoadWindow,
    offsets_seconds: Iterable[float],
    *,
    clock: Callable[[], float] = time.perf_counter,
) -> list[RequestRecord]:
    """Send one request at each offset from the window's start, and wait for every answer.

    Latency counts from the intended moment. A loop that waits for a slow answer, or is late itself, would otherwise
    leave out just those requests that had to wait (coordinated omission).

    Args:
        sender: Sends.
        window: When the load starts; a reading of ``clock``.
        offsets_seconds: Ascending.
        clock: Seconds.

    Returns:
        Every request, warm-up included, in order of completion.
    """
    records: list[RequestRecord] = []
    in_work: set[asyncio.Task[None]] = set()
    for number, offset in enumerate(offsets_seconds):
        intended_at = window.starts_at + offset
        wait_seconds = intended_at - clock()
        # Sleeping even when late lets the answers in.
        await asyncio.sleep(max(0.0, wait_seconds))
        task = asyncio.create_task(_send(number, sender, intended_at, records, clock))
        in_work.add(task)
        task.add_done_callback(in_work.discard)
    await asyncio.gather(*in_work)
    return records


async def _send(
    number: int,
    sender: FrameSender,
    intended_at: float,
    records: list[RequestRecord],
    clock: Callable[[], float],
) -> None:
    sent_at = clock()
    outcome = await sender.send(number, number)
    records.append(RequestRecord(intended_at, sent_at, clock(), outcome.code, outcome.stages))
