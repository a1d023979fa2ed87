"""Reports as pictures."""

import io
from typing import Any

from model_compiler.evaluation.variant_result import VariantResult
from model_compiler.reporting.build_report import BuildReport
from model_compiler.reporting.pareto import accuracy_and_latency, pareto_front

_CHOSEN, _INSIDE, _REFUSED = "#2f6fb2", "#9aa5b1", "#c0392b"


def plot_report(report: BuildReport) -> bytes:
    """Accuracy against latency with the front of what none beats, and the size of each variant; a PNG."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # noqa: PLC0415 - slow to import
    from matplotlib.figure import Figure  # noqa: PLC0415

    figure = Figure(figsize=(12, 4.5), layout="constrained")
    FigureCanvasAgg(figure)
    left, right = figure.subplots(1, 2)
    _plot_accuracy(left, report)
    _plot_sizes(right, report)
    figure.suptitle(f"{report.build}, measured on {report.measured_on}")
    picture = io.BytesIO()
    figure.savefig(picture, format="png", dpi=110)
    return picture.getvalue()


def _plot_accuracy(axes: Any, report: BuildReport) -> None:
    points = {each.name: point for each in report.variants if (point := accuracy_and_latency(each)) is not None}
    shown = sorted((each for each in report.variants if each.name in points), key=lambda each: points[each.name][1])
    for number, variant in enumerate(shown):
        accuracy, latency = points[variant.name]
        axes.errorbar(latency, accuracy, yerr=_errors(variant), fmt="o", color=_color(variant, report), capsize=3)
        # neighbours are often as accurate: their names must not lie over one another
        below = number % 2 == 1
        axes.annotate(
            variant.name,
            (latency, accuracy),
            xytext=(5, -6 if below else 6),
            textcoords="offset points",
            rotation=-35 if below else 35,
            va="top" if below else "bottom",
            fontsize=8,
        )
    front = [points[name] for name in pareto_front(report.variants)]
    axes.plot([latency for _, latency in front], [accuracy for accuracy, _ in front], color=_INSIDE, linestyle="--")
    axes.set(xlabel="latency p50 through the gateway (ms)", ylabel=_metric_name(report), title="accuracy and latency")
    axes.margins(0.25)
    if not points:
        axes.text(0.5, 0.5, "not measured", ha="center", transform=axes.transAxes)


def _plot_sizes(axes: Any, report: BuildReport) -> None:
    names = [variant.name for variant in report.variants]
    sizes = [variant.size_bytes / 1e6 for variant in report.variants]
    bars = axes.barh(names, sizes, color=[_color(variant, report) for variant in report.variants])
    axes.bar_label(bars, fmt="%.2f", padding=3)
    axes.set(xlabel="model files (MB)", title="size; blue: chosen, red: refused by the gate")
    axes.margins(x=0.15)
    axes.invert_yaxis()


def _errors(variant: VariantResult) -> list[list[float]] | None:
    metric = variant.accuracy or variant.agreement
    if metric is None or metric.low is None or metric.high is None:
        return None
    return [[max(0.0, metric.value - metric.low)], [max(0.0, metric.high - metric.value)]]


def _color(variant: VariantResult, report: BuildReport) -> str:
    if variant.name == report.chosen:
        return _CHOSEN
    return _REFUSED if variant.failures else _INSIDE


def _metric_name(report: BuildReport) -> str:
    metrics = (variant.accuracy or variant.agreement for variant in report.variants)
    return next((metric.name for metric in metrics if metric is not None), "accuracy")
