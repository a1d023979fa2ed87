"""What fewer channels save and cost: goals that a build with a pruned form of its float baseline answers."""

from collections.abc import Iterator

from model_compiler.evaluation.variant_result import VariantResult
from model_compiler.reporting.build_report import BuildReport
from model_compiler.reporting.goal import Goal

PARAMETER_REDUCTION = 0.4
DROP_POINTS = 1.0
LATENCY_RATIO = 1.0


def pruning_goals(report: BuildReport) -> Iterator[Goal]:
    """At least 40 % fewer parameters, less than a point of accuracy, lower latency; nothing without both forms."""
    whole, pruned = report.variant(report.baseline), report.variant(f"{report.baseline}-pruned")
    if whole is None or pruned is None:
        return
    yield from _parameters(whole, pruned)
    if pruned.difference is not None:
        interval = f"{pruned.difference.low:+.2f} to {pruned.difference.high:+.2f}"
        yield Goal(
            name=f"{pruned.difference.metric} lost by pruning",
            target=DROP_POINTS,
            value=-pruned.difference.points,
            unit="points",
            at_least=False,
            note=f"{pruned.name}, paired difference {interval} on {pruned.difference.frames} frames",
        )
    yield from _latency(whole, pruned)


def _parameters(whole: VariantResult, pruned: VariantResult) -> Iterator[Goal]:
    if whole.parameter_count and pruned.parameter_count:
        yield Goal(
            name="parameters that pruning removes",
            target=PARAMETER_REDUCTION,
            value=1.0 - pruned.parameter_count / whole.parameter_count,
            at_least=True,
            note=f"{whole.parameter_count:,} to {pruned.parameter_count:,}",
        )


def _latency(whole: VariantResult, pruned: VariantResult) -> Iterator[Goal]:
    before, after = whole.performance.latency_p50_ms, pruned.performance.latency_p50_ms
    if before and after:
        yield Goal(
            name="p50 latency of the pruned form over the whole one",
            target=LATENCY_RATIO,
            value=after / before,
            at_least=False,
            note=f"{before:.1f} to {after:.1f} ms, {pruned.name}",
        )
