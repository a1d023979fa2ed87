"""A benchmark's record as Markdown. Pure."""

from collections.abc import Iterable, Sequence

from benchmarks.cells import Cell, CellResult
from benchmarks.serving_record import ModelRecord, ServingRecord
from benchmarks.soak_summary import SoakSummary
from benchmarks.targets import Target
from gateway.load.cpu_meter import OTHER

_QUIET_SHARE = 0.05


def markdown(record: ServingRecord, plot_name: str | None) -> str:
    """The whole report.

    Args:
        record: What was measured.
        plot_name: File of the plot beside the report, or None.
    """
    parts = ["# Serving benchmark", _heading(record)]
    if plot_name is not None and record.models:
        parts.append(f"![images per second and CPU time per image]({plot_name})")
    parts += [_model_section(model) for model in record.models]
    if record.soak is not None:
        parts.append(_soak_section(record.soak))
    return "\n\n".join(part for part in parts if part) + "\n"


def markdown_table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table; the first column is text, the others are numbers."""
    rule = ["---", *["---:"] * (len(header) - 1)]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (header, rule, *rows))


def _heading(record: ServingRecord) -> str:
    lines = [f"- {name}: {value}" for name, value in record.machine.items()]
    if record.models:
        lines.insert(0, f"- command: `{record.command}`")
        lines.append(
            f"- medians of {record.rounds} interleaved rounds, {record.seconds_per_cell:g} s per cell; {record.frames}"
        )
        lines.append(
            "- servers and load generator share the machine's cores; (a) has no load generator. CPU is in ms per image,"
            " read from /proc; the backend processes are Triton's"
        )
    return "\n".join(lines)


def _model_section(model: ModelRecord) -> str:
    title = f"## {model.name}, {model.input_width}x{model.input_height}, {model.runtime}"
    parts = [title, _cell_table(model), _noise_sentence(model), _target_table(model.targets)]
    return "\n\n".join(part for part in parts if part)


def _cell_table(model: ModelRecord) -> str:
    roles = list(dict.fromkeys(role for result in model.cells.values() for role in result.cpu_ms_per_image))
    header = ["system", "images/s", "p50 ms", "p95 ms", "p99 ms", *[f"CPU {role}" for role in roles], "failed"]
    return markdown_table(header, [_cell_row(cell, result, roles) for cell, result in model.cells.items()])


def _cell_row(cell: Cell, result: CellResult, roles: Sequence[str]) -> list[str]:
    latencies = [_number(result.latency_ms.get(name)) for name in ("p50", "p95", "p99")]
    cpu = [_number(result.cpu_ms_per_image.get(role)) for role in roles]
    return [cell.title, f"{result.images_per_second:.1f}", *latencies, *cpu, str(result.failures)]


def _noise_sentence(model: ModelRecord) -> str:
    noisy = [cell.title for cell, result in model.cells.items() if _other_share(result) > _QUIET_SHARE]
    if not noisy:
        return ""
    return (
        f"The machine was not quiet: other processes took more than {_QUIET_SHARE:.0%} of the CPU time that was used "
        f"during {'; '.join(noisy)}."
    )


def _other_share(result: CellResult) -> float:
    total = sum(result.cpu_ms_per_image.values())
    return result.cpu_ms_per_image.get(OTHER, 0.0) / total if total else 0.0


def _target_table(targets: Sequence[Target]) -> str:
    rows = [
        [
            target.subject,
            f"{target.direction} {target.wanted:g} {target.unit}",
            f"{target.measured:.2f} {target.unit}",
            target.verdict,
        ]
        for target in targets
    ]
    return markdown_table(["target at 16 clients", "wanted", "measured", "verdict"], rows) if rows else ""


def _soak_section(soak: SoakSummary) -> str:
    rows = [[role, f"{soak.early_mib[role]:.0f}", f"{soak.late_mib.get(role, 0.0):.0f}"] for role in soak.early_mib]
    rows.append(["all", f"{sum(soak.early_mib.values()):.0f}", f"{sum(soak.late_mib.values()):.0f}"])
    verdict = "steady" if soak.steady else f"NOT steady, grew by {soak.growth_mib:.0f} MiB"
    return "\n\n".join(
        [
            f"## Memory over {soak.requests} requests ({soak.model}, gRPC, 16 clients)",
            f"{verdict}; {soak.failures} requests failed; {soak.images_per_second:.1f} images/s.",
            markdown_table(["resident, MiB", "at 20-40 %", "last 20 %"], rows),
        ]
    )


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"
