"""One load from its start to its summary."""

import asyncio
import time
from collections.abc import Iterable
from dataclasses import dataclass

from gateway.load.closed_loop import run_closed_loop
from gateway.load.cpu_meter import CpuMeter
from gateway.load.frame_sender import FrameSender
from gateway.load.load_result import LoadResult, images_answered, load_result
from gateway.load.load_window import LoadWindow
from gateway.load.open_loop import run_open_loop
from gateway.load.process_cpu import cpu_ms_per_image
from gateway.load.request_record import RequestRecord


@dataclass(frozen=True, slots=True)
class LoadPlan:
    """How long a load takes.

    Attributes:
        name: For the report.
        warmup_seconds: Not measured.
        seconds: Measured.
    """

    name: str
    warmup_seconds: float
    seconds: float


@dataclass(frozen=True, slots=True)
class LoadRun:
    """A summary and what it was made of."""

    result: LoadResult
    records: list[RequestRecord]
    window: LoadWindow


async def measure_closed(plan: LoadPlan, sender: FrameSender, meter: CpuMeter, *, clients: int) -> LoadRun:
    """Run and summarise a closed loop."""
    window = LoadWindow.after(time.perf_counter(), plan.warmup_seconds, plan.seconds)
    records, spent = await asyncio.gather(run_closed_loop(sender, window, clients=clients), meter.watch(window))
    return _run(plan, records, window, spent, by_schedule=False)


async def measure_open(
    plan: LoadPlan, sender: FrameSender, meter: CpuMeter, *, offsets_seconds: Iterable[float]
) -> LoadRun:
    """Run and summarise an open loop."""
    window = LoadWindow.after(time.perf_counter(), plan.warmup_seconds, plan.seconds)
    records, spent = await asyncio.gather(run_open_loop(sender, window, offsets_seconds), meter.watch(window))
    return _run(plan, records, window, spent, by_schedule=True)


def _run(
    plan: LoadPlan, records: list[RequestRecord], window: LoadWindow, spent: dict[str, float], *, by_schedule: bool
) -> LoadRun:
    cpu = cpu_ms_per_image(spent, images_answered(records, window))
    return LoadRun(
        load_result(plan.name, records, window, by_schedule=by_schedule, cpu_ms_per_image=cpu), records, window
    )
