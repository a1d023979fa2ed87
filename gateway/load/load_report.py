"""Results of loads for people, as tables, and for programs, as JSON."""

import dataclasses
from collections.abc import Sequence
from typing import Any

from rich.table import Table

from gateway.load.latency_summary import LatencySummary
from gateway.load.load_result import LoadResult
from gateway.load.server_stages import ServerStages
from gateway.load.sustained_load import MinuteSummary, SustainedComparison

_STAGE_TOLERANCE = 0.05


def summary_table(results: Sequence[LoadResult]) -> Table:
    """A line per load."""
    table = Table(title="latency in ms", title_justify="left")
    table.add_column("load")
    for column in ("images/s", "p50", "p95", "p99", "max"):
        table.add_column(column, justify="right")
    table.add_column("failed")
    for result in results:
        table.add_row(result.name, f"{result.images_per_second:.1f}", *_latency_cells(result), _failures(result))
    return table


def cpu_table(results: Sequence[LoadResult]) -> Table:
    """CPU time of one image by process, a column per load."""
    table = Table(title="CPU in ms per image", title_justify="left")
    table.add_column("process")
    for result in results:
        table.add_column(result.name, justify="right")
    for role in dict.fromkeys(role for result in results for role in result.cpu_ms_per_image):
        cpu = (result.cpu_ms_per_image.get(role) for result in results)
        table.add_row(role, *("-" if value is None else f"{value:.2f}" for value in cpu))
    return table


def stage_table(result: LoadResult) -> Table:
    """Where the time of one load's requests goes."""
    table = Table(title=f"stages, {result.name} (ms)", title_justify="left", caption=stage_sentence(result))
    table.add_column("stage")
    for column in ("p50", "p95", "mean"):
        table.add_column(column, justify="right")
    for stage in result.stages:
        latency = stage.latency
        table.add_row(stage.name, f"{latency.p50_ms:.2f}", f"{latency.p95_ms:.2f}", f"{latency.mean_ms:.2f}")
    return table


def comparison_table(load: str, one: tuple[str, LoadResult], other: tuple[str, LoadResult]) -> Table:
    """The same load on two gateways, each with its name: the stages of both side by side."""
    table = Table(title=f"stages of both, {load} (ms, p50 and p99)", title_justify="left")
    table.add_column("stage")
    for gateway, _ in (one, other):
        table.add_column(gateway, justify="right")
    table.add_column("2nd : 1st", justify="right")
    latencies = [{stage.name: stage.latency for stage in result.stages} for _, result in (one, other)]
    for name in dict.fromkeys([*latencies[0], *latencies[1]]):
        pair = [each.get(name) for each in latencies]
        cells = ["-" if each is None else f"{each.p50_ms:.2f}  {each.p99_ms:.2f}" for each in pair]
        table.add_row(name, *cells, _ratio(*pair))
    table.add_row("images/s", *(f"{result.images_per_second:.1f}" for _, result in (one, other)), "")
    return table


def _ratio(one: LatencySummary | None, other: LatencySummary | None) -> str:
    if one is None or other is None or one.p50_ms <= 0:
        return "-"
    return f"{other.p50_ms / one.p50_ms:.2f}"


def stage_sentence(result: LoadResult) -> str:
    """Whether the gateway's stages explain the time that the client sees."""
    if result.stage_share is None:
        return "the answers tell no stage times"
    left = 1.0 - result.stage_share
    verdict = "within" if abs(left) <= _STAGE_TOLERANCE else "more than"
    return (
        f"the gateway's stages add up to {result.stage_share:.1%} of the client's time; the rest, encode and "
        f"transport, is {verdict} {_STAGE_TOLERANCE:.0%}"
    )


def server_sentence(name: str, stages: ServerStages) -> str:
    """The stages of a request by the gateway's own clock."""
    parts = " + ".join(f"{stage} {value:.2f}" for stage, value in stages.stage_ms.items())
    verdict = "within" if abs(1.0 - stages.share) <= _STAGE_TOLERANCE else "NOT within"
    return (
        f"{name}, by the gateway's clock: {parts} = {sum(stages.stage_ms.values()):.2f} of {stages.request_ms:.2f} ms "
        f"({stages.share:.1%}, {verdict} {_STAGE_TOLERANCE:.0%})"
    )


def sustained_table(comparison: SustainedComparison) -> Table:
    """The first and the last minute."""
    verdict = "THROTTLING: the machine got slower" if comparison.throttled else "steady"
    table = Table(title=f"first against last minute: {comparison.ratio:.2f} times slower, {verdict}")
    for column in ("part", "p50 ms", "images/s", "CPU MHz"):
        table.add_column(column, justify="left" if column == "part" else "right")
    for name, minute in (("first", comparison.first), ("last", comparison.last)):
        table.add_row(name, *_minute_cells(minute))
    return table


def result_json(result: LoadResult) -> dict[str, Any]:
    """All numbers of a load; those measured are rounded to a thousandth."""
    rounded: dict[str, Any] = _rounded(dataclasses.asdict(result))
    return rounded


def sustained_json(comparison: SustainedComparison) -> dict[str, Any]:
    """All numbers of a comparison."""
    values = dataclasses.asdict(comparison) | {"ratio": comparison.ratio, "throttled": comparison.throttled}
    rounded: dict[str, Any] = _rounded(values)
    return rounded


def server_json(stages: ServerStages) -> dict[str, Any]:
    """All numbers of the gateway's own view."""
    rounded: dict[str, Any] = _rounded(dataclasses.asdict(stages) | {"share": stages.share})
    return rounded


def _latency_cells(result: LoadResult) -> list[str]:
    latency = result.latency
    if latency is None:
        return ["-"] * 4
    return [f"{value:.2f}" for value in (latency.p50_ms, latency.p95_ms, latency.p99_ms, latency.max_ms)]


def _minute_cells(minute: MinuteSummary) -> list[str]:
    clock = f"{minute.cpu_mhz:.0f}" if minute.cpu_mhz is not None else "not told"
    return [f"{minute.p50_ms:.2f}", f"{minute.images_per_second:.1f}", clock]


def _failures(result: LoadResult) -> str:
    return ", ".join(f"{count} {code}" for code, count in result.codes.items() if code != "OK") or "0"


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        return round(value, 3)
    if isinstance(value, dict):
        return {key: _rounded(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_rounded(entry) for entry in value]
    return value
