"""``outpost-gateway bench``: load on a running gateway, and what became of it."""

import argparse
import asyncio
import json
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import uvloop
from rich.console import Console
from rich.progress import Progress, TimeRemainingColumn

from gateway.commands.bench_arguments import BenchPlan, add_bench_arguments, bench_plan
from gateway.commands.frame_answer import GatewayNotThere, ModelNotThere
from gateway.commands.gateway_target import GatewayTarget
from gateway.load.arrival_schedule import arrival_offsets
from gateway.load.client_access import AccessFileUnusable
from gateway.load.cpu_meter import CpuMeter
from gateway.load.frame_files import NoFrames, find_frames
from gateway.load.listening_process import gateway_root
from gateway.load.load_plot import PlotUnavailable, plot_loads, require_matplotlib
from gateway.load.load_progress import with_progress
from gateway.load.load_report import (
    comparison_table,
    cpu_table,
    result_json,
    server_json,
    server_sentence,
    stage_table,
    summary_table,
    sustained_json,
    sustained_table,
)
from gateway.load.load_runner import LoadPlan, LoadRun, measure_closed, measure_open
from gateway.load.sender_factory import gateway_sender
from gateway.load.server_stages import HistogramTotals, ServerStages, fetch_path, fetch_totals, stages_between
from gateway.load.sustained_load import SustainedComparison, compare_ends, watch_frequency

_DONE, _NO_ANSWER, _NOT_STARTED, _INTERRUPTED = 0, 1, 2, 130
_LATE_MS = 1.0
_GATEWAY_ROLE, _GENERATOR_ROLE = "gateway", "load generator"


@dataclass(frozen=True)
class _Measured:
    asked: str
    gateway: str
    load: LoadRun
    server: ServerStages | None
    sustained: SustainedComparison | None


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Flags of the command."""
    add_bench_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Put load on a gateway.

    Returns:
        0; 1 when a load got no answer at all; 2 when it could not begin; 130 when it was interrupted.
    """
    try:
        plan = bench_plan(args)
        if plan.plot is not None:
            require_matplotlib()
        frames = [path.read_bytes() for path in find_frames(plan.frames)]
        for side in plan.sides:
            _check(side.target)
    except (GatewayNotThere, ModelNotThere, NoFrames, PlotUnavailable, AccessFileUnusable, OSError) as error:
        print(error, file=sys.stderr)
        return _NOT_STARTED
    console = Console()
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            measured = runner.run(_measure(plan, frames, console))
    except KeyboardInterrupt:
        return _INTERRUPTED
    _report(plan, measured, console)
    return _DONE if all(each.load.result.latency is not None for each in measured) else _NO_ANSWER


def _check(target: GatewayTarget) -> None:
    client = target.client()
    try:
        client.labels()
    finally:
        client.close()


async def _measure(plan: BenchPlan, frames: Sequence[bytes], console: Console) -> list[_Measured]:
    measured = []
    meters = [_meter(side, console) for side in plan.sides]
    names = [await _name(side) for side in plan.sides]
    with Progress(*Progress.get_default_columns()[:3], TimeRemainingColumn(), console=console) as progress:
        for clients in (None,) if plan.rate is not None else plan.concurrency:
            for side, meter, name in zip(plan.sides, meters, names, strict=True):
                before = await _server_totals(side)
                asked = f"{clients} clients" if clients is not None else f"{plan.rate:g}/s {plan.arrivals}"
                named = asked if plan.against is None else f"{asked}, {name}"
                load, sustained = await _one(side, named, frames, clients, meter, progress)
                after = await _server_totals(side)
                server = stages_between(before, after) if before is not None and after is not None else None
                measured.append(_Measured(asked, name, load, server, sustained))
    return measured


def _meter(plan: BenchPlan, console: Console) -> CpuMeter:
    roots = _roots(plan.target)
    if _GATEWAY_ROLE not in roots:
        console.print(
            "[dim]The gateway's processes are not on this host or not ours: their CPU time is not counted.[/]"
        )
    return CpuMeter(roots)


async def _name(plan: BenchPlan) -> str:
    path = await asyncio.to_thread(fetch_path, plan.metrics) if plan.metrics else ""
    return f"{path} at {plan.target.address}" if path else plan.target.address


async def _server_totals(plan: BenchPlan) -> HistogramTotals | None:
    if not plan.metrics:
        return None
    return await asyncio.to_thread(fetch_totals, plan.metrics, plan.target.model, plan.target.protocol)


async def _one(
    plan: BenchPlan, name: str, frames: Sequence[bytes], clients: int | None, meter: CpuMeter, progress: Progress
) -> tuple[LoadRun, SustainedComparison | None]:
    sender = gateway_sender(
        plan.target.protocol,
        plan.target.address,
        plan.target.model,
        frames,
        connections=plan.connections_for(clients),
        timeout_seconds=plan.target.timeout_seconds,
        access=plan.target.access,
    )
    load_plan = LoadPlan(name, plan.warmup_seconds, plan.seconds)
    try:
        if clients is not None:
            load = measure_closed(load_plan, sender, meter, clients=clients)
        else:
            load = measure_open(load_plan, sender, meter, offsets_seconds=_offsets(plan))
        measured = asyncio.ensure_future(load)
        return await with_progress(progress, name, plan.total_seconds, _with_frequency(plan, measured))
    finally:
        await sender.close()


async def _with_frequency(
    plan: BenchPlan, measured: "asyncio.Future[LoadRun]"
) -> tuple[LoadRun, SustainedComparison | None]:
    if not plan.sustained:
        return await measured, None
    frequencies = asyncio.ensure_future(watch_frequency(plan.window_from_now()))
    finished = await measured
    return finished, compare_ends(finished.records, finished.window, await frequencies)


def _offsets(plan: BenchPlan) -> list[float]:
    rng = np.random.default_rng(plan.seed)
    offsets: list[float] = arrival_offsets(plan.rate or 0.0, plan.total_seconds, plan.arrivals, rng).tolist()
    return offsets


def _roots(target: GatewayTarget) -> dict[str, int]:
    roots = {_GENERATOR_ROLE: os.getpid()}
    gateway = gateway_root(target.port) if target.is_local else None
    return roots | ({_GATEWAY_ROLE: gateway} if gateway is not None else {})


def _report(plan: BenchPlan, measured: Sequence[_Measured], console: Console) -> None:
    results = [each.load.result for each in measured]
    console.print(summary_table(results), cpu_table(results))
    for each in measured:
        _report_details(each, console)
    if plan.against is not None:
        for one, other in zip(measured[::2], measured[1::2], strict=True):
            sides = ((one.gateway, one.load.result), (other.gateway, other.load.result))
            console.print(comparison_table(one.asked, *sides))
    if plan.json is not None:
        plan.json.write_text(json.dumps(_json(plan, measured), indent=2) + "\n")
        console.print(f"written to {plan.json}")
    if plan.plot is not None:
        target = plan.target
        title = f"{target.model} over {target.protocol} at {target.address}"
        plot_loads([each.load for each in measured], plan.plot, title)
        console.print(f"written to {plan.plot}")


def _report_details(measured: _Measured, console: Console) -> None:
    result = measured.load.result
    if result.stages:
        console.print(stage_table(result))
    if measured.server is not None:
        console.print(server_sentence(result.name, measured.server), highlight=False)
    if result.late_p99_ms > _LATE_MS:
        console.print(f"[dim]{result.name}: the sender itself was up to {result.late_p99_ms:.1f} ms late (p99).[/]")
    if measured.sustained is not None:
        console.print(sustained_table(measured.sustained))


def _json(plan: BenchPlan, measured: Sequence[_Measured]) -> dict[str, Any]:
    loads = []
    for each in measured:
        values = {"gateway": each.gateway} | result_json(each.load.result)
        if each.server is not None:
            values["server"] = server_json(each.server)
        if each.sustained is not None:
            values["sustained"] = sustained_json(each.sustained)
        loads.append(values)
    return {"model": plan.target.model, "protocol": plan.target.protocol, "loads": loads}
