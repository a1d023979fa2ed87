"""Many requests to one gateway, and what its processes hold meanwhile."""

import asyncio
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import uvloop

from benchmarks.bench_models import BenchModel
from benchmarks.gateway_under_test import GATEWAY_ROLE, running_gateway
from benchmarks.soak_summary import MemoryReading, SoakSummary, summarise_soak
from gateway.load.closed_loop import run_closed_loop
from gateway.load.frame_sender import FrameSender, SendOutcome
from gateway.load.load_window import LoadWindow
from gateway.load.process_cpu import read_tree, rss_bytes_by_role
from gateway.load.sender_factory import gateway_sender

CLIENTS = 16
READINGS = 100
_TIMEOUT_SECONDS = 30.0
_LONGEST_SECONDS = 24 * 3600.0


class _CountingSender:
    """A sender that reads memory every so many requests."""

    def __init__(self, sender: FrameSender, every: int, read: Callable[[int], None]) -> None:
        self._sender = sender
        self._every = every
        self._read = read
        self._done = 0

    async def send(self, client: int, frame: int) -> SendOutcome:
        outcome = await self._sender.send(client, frame)
        self._done += 1
        if self._done % self._every == 0:
            self._read(self._done)
        return outcome

    async def close(self) -> None:
        await self._sender.close()


def run_soak(
    model: BenchModel, frames: Sequence[Path], work: Path, requests: int, report: Callable[[int], None]
) -> SoakSummary:
    """Send ``requests`` frames over gRPC and compare the memory of gateway, Triton and backends early and late.

    Args:
        model: What is served.
        frames: Picture files.
        work: A folder for state and logs.
        requests: How many.
        report: Told the number of requests done.
    """
    readings: list[MemoryReading] = []
    with running_gateway(model.build.parent, work) as gateway:

        def read(done: int) -> None:
            readings.append(MemoryReading(done, rss_bytes_by_role(read_tree(gateway.pid, GATEWAY_ROLE))))
            report(done)

        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            payload = [path.read_bytes() for path in frames]
            failures, seconds = runner.run(_send_all(gateway.grpc_address, model.name, payload, requests, read))
    return summarise_soak(model.name, readings, requests=requests, failures=failures, seconds=seconds)


async def _send_all(
    address: str, model: str, frames: Sequence[bytes], requests: int, read: Callable[[int], None]
) -> tuple[int, float]:
    sender = _CountingSender(
        gateway_sender("grpc", address, model, frames, connections=CLIENTS, timeout_seconds=_TIMEOUT_SECONDS),
        max(1, requests // READINGS),
        read,
    )
    started_at = time.perf_counter()
    try:
        records = await run_closed_loop(
            sender,
            LoadWindow.after(started_at, 0.0, _LONGEST_SECONDS),
            clients=CLIENTS,
            max_requests=requests,
        )
    finally:
        await sender.close()
    return sum(not record.answered for record in records), time.perf_counter() - started_at
