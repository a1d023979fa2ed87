"""Reports as Markdown tables."""

from collections.abc import Iterable, Iterator, Sequence

from contracts.model_card import Metric
from model_compiler.evaluation.variant_result import AccuracyDifference, Speedup, VariantResult
from model_compiler.reporting.build_report import BuildReport
from model_compiler.reporting.family_goals import family_goals
from model_compiler.reporting.goal import Goal
from model_compiler.reporting.pareto import pareto_front
from model_compiler.reporting.pruning_goals import pruning_goals
from model_compiler.reporting.variant_goals import variant_goals

_NONE = "–"  # noqa: RUF001 - an en dash reads as "no number"
_VARIANT_HEAD = (
    "variant",
    "size MB",
    "accuracy",
    "against the baseline",
    "p50 ms",
    "p99 ms",
    "images/s",
    "speed-up",
    "CPU ms/image",
    "load s",
    "memory MB",
    "verdict",
)


def render_reports(reports: Sequence[BuildReport], pictures: Sequence[str], goals: Sequence[Goal] = ()) -> str:
    """One page.

    Args:
        reports: A section each.
        pictures: File name of the picture of each.
        goals: That no build answers by itself.
    """
    parts = [
        "# Compiled models",
        "",
        "Written by `outpost-compile report` from what `outpost-compile build` measured.",
    ]
    for report, picture in zip(reports, pictures, strict=True):
        parts += ["", *_section(report, picture)]
    between = (*family_goals(reports), *goals)
    if between:
        parts += ["", "## Between the models", "", *_goal_table(between)]
    return "\n".join(parts) + "\n"


def _section(report: BuildReport, picture: str) -> Iterator[str]:
    yield from (f"## {report.build}", "", *_introduction(report), "", f"![{report.build}]({picture})", "")
    yield from _table(_VARIANT_HEAD, [_variant_row(variant, report) for variant in report.variants])
    yield ""
    yield f"Accurate and quick, none beats them in both: {', '.join(pareto_front(report.variants)) or _NONE}."
    yield from _reasons(report)
    goals = (*variant_goals(report), *pruning_goals(report), *report.goals)
    if goals:
        yield from ("", "### Goals", "", *_goal_table(goals))
    if report.range_methods:
        yield from ("", "### INT8 ranges", "", *_range_methods(report))
    labels = _by_label(report)
    if labels:
        yield from ("", "### By label", "", *labels)
    if report.notes:
        yield from ("", "### What the stages told", "", *(f"- {note}" for note in report.notes))


def _introduction(report: BuildReport) -> Iterator[str]:
    machine = next((each.performance.machine for each in report.variants if each.performance.machine), "")
    frames = f"{report.frames} frames of {report.dataset or 'a folder'}"
    sha = f" (sha256 {report.dataset_sha256[:12]})" if report.dataset_sha256 else ""
    what = "labelled" if report.labelled else "without labels: agreement with the float model instead of accuracy"
    yield f"Measured end to end through the gateway on {report.measured_on} ({machine}), {frames}{sha}, {what}."
    if report.measured_on != report.hardware_class:
        yield f"Times and memory were not measured on {report.hardware_class}: they decide nothing."
    chosen = f"**{report.chosen}**" if report.chosen else "no variant"
    yield f"Chosen: {chosen}: {report.choice_reason or 'no reason given'}."


def _variant_row(variant: VariantResult, report: BuildReport) -> tuple[str, ...]:
    performance = variant.performance
    memory = performance.peak_memory_bytes
    name = f"**{variant.name}**" if variant.name == report.chosen else variant.name
    difference = _difference(variant.difference)
    return (
        f"{name} (baseline)" if variant.name == report.baseline else name,
        f"{variant.size_bytes / 1e6:.2f}",
        _metric(variant.accuracy or variant.agreement),
        difference,
        _number(performance.latency_p50_ms, ".1f"),
        _number(performance.latency_p99_ms, ".1f"),
        _number(performance.images_per_second, ".0f"),
        _speedup(variant.speedup),
        _number(performance.cpu_ms_per_image, ".1f"),
        _number(performance.load_seconds, ".2f"),
        _number(None if memory is None else memory / 1e6, ".0f"),
        _verdict(variant),
    )


def _verdict(variant: VariantResult) -> str:
    if variant.verdict is None:
        return _NONE
    parts = ["inside" if variant.passed else "refused"]
    if variant.not_proven:
        parts.append("accuracy not proven")
    if variant.verdict.not_measured:
        parts.append(f"not measured: {', '.join(variant.verdict.not_measured)}")
    return ", ".join(parts)


def _reasons(report: BuildReport) -> Iterator[str]:
    refused = [(each.name, "; ".join(each.failures)) for each in report.variants if each.failures]
    refused += list(report.refused.items())
    if refused:
        yield from ("", "Refused:", "", *(f"- {name}: {reason}" for name, reason in refused))
    caveats = [(each.name, caveat) for each in report.variants for caveat in each.caveats]
    if caveats:
        yield from ("", "Not shown:", "", *(f"- {name}: {caveat}" for name, caveat in caveats))


def _goal_table(goals: Iterable[Goal]) -> Iterator[str]:
    return _table(("goal", "target", "measured", "result", "how"), map(_goal_row, goals))


def _goal_row(goal: Goal) -> tuple[str, ...]:
    sign = "at least" if goal.at_least else "at most"
    unit = f" {goal.unit}" if goal.unit else ""
    result = "not measured"
    if goal.missed_by is not None:
        result = "met" if goal.missed_by <= 0 else f"missed by {goal.missed_by:.3g}{unit}"
    measured = _NONE if goal.value is None else f"{goal.value:.3g}{unit}"
    return goal.name, f"{sign} {goal.target:g}{unit}", measured, result, goal.note


def _range_methods(report: BuildReport) -> Iterator[str]:
    measured = any(each.sqnr_db is not None for each in report.range_methods)
    head = ("ranges", "accuracy", "against FP32", *(["SQNR dB"] if measured else []), "note")
    rows = [
        (
            *(each.method, _metric(each.metric), _difference(each.difference)),
            *([_number(each.sqnr_db, ".1f")] if measured else []),
            each.note,
        )
        for each in report.range_methods
    ]
    yield from _table(head, rows)


def _by_label(report: BuildReport) -> list[str]:
    labels = list(dict.fromkeys(label for variant in report.variants for label in variant.accuracy_by_label))
    if not labels:
        return []
    rows = [
        (variant.name, *(_number(variant.accuracy_by_label.get(label), ".3f") for label in labels))
        for variant in report.variants
        if variant.accuracy_by_label
    ]
    return list(_table(("variant", *labels), rows))


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    yield f"| {' | '.join(head)} |"
    yield f"|{'---|' * len(head)}"
    yield from (f"| {' | '.join(row)} |" for row in rows)


def _metric(metric: Metric | None) -> str:
    if metric is None:
        return _NONE
    interval = f" [{metric.low:.3f}, {metric.high:.3f}]" if metric.low is not None and metric.high is not None else ""
    return f"{metric.name} {metric.value:.3f}{interval}"


def _difference(found: AccuracyDifference | None) -> str:
    return _NONE if found is None else f"{found.points:+.2f} points [{found.low:+.2f}, {found.high:+.2f}]"


def _speedup(found: Speedup | None) -> str:
    return _NONE if found is None else f"{found.ratio:.2f} [{found.low:.2f}, {found.high:.2f}]"


def _number(value: float | None, form: str) -> str:
    return _NONE if value is None else format(value, form)
