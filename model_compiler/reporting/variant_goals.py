"""The goals that can be read off the variants of a build."""

from collections.abc import Iterator

from model_compiler.evaluation.evaluation import speedup
from model_compiler.evaluation.variant_result import VariantResult
from model_compiler.reporting.build_report import BuildReport
from model_compiler.reporting.goal import Goal

INT8_SIZE_RATIO = 0.33
INT8_DROP_POINTS = 1.5
SPEEDUP = 2.5
SPEED_BASELINE = "f32-onnxruntime"


def variant_goals(report: BuildReport) -> tuple[Goal, ...]:
    """INT8 is a third of the size and costs at most 1.5 points; the best variant is 2.5 times as fast as plain FP32."""
    int8 = _int8(report)
    goals = [] if int8 is None else [*_int8_goals(report, int8)]
    return (*goals, *_speed_goal(report))


def _int8(report: BuildReport) -> VariantResult | None:
    """Of the whole network: the chosen one, else the fastest inside the gate, else the fastest."""
    whole = [variant for variant in report.variants if not variant.name.endswith("-pruned")]
    found = [variant for variant in whole if variant.name.startswith(f"int8-{variant.backend}")]
    return max(found, key=lambda each: (each.name == report.chosen, each.passed, each.images_per_second), default=None)


def _int8_goals(report: BuildReport, int8: VariantResult) -> Iterator[Goal]:
    base = report.variant(report.baseline)
    if base is not None and base.size_bytes:
        ratio = int8.size_bytes / base.size_bytes
        yield Goal(name="INT8 size over FP32 size", target=INT8_SIZE_RATIO, value=ratio, at_least=False, note=int8.name)
    if int8.difference is not None:
        interval = f"{int8.difference.low:+.2f} to {int8.difference.high:+.2f}"
        yield Goal(
            name=f"{int8.difference.metric} lost by INT8",
            target=INT8_DROP_POINTS,
            value=-int8.difference.points,
            unit="points",
            at_least=False,
            note=f"{int8.name}, paired difference {interval} on {int8.difference.frames} frames",
        )


def _speed_goal(report: BuildReport) -> Iterator[Goal]:
    plain = report.variant(SPEED_BASELINE)
    fastest = max(
        (variant for variant in report.variants if variant.passed),
        key=lambda variant: variant.images_per_second,
        default=None,
    )
    found = None if plain is None or fastest is None else speedup(fastest, plain)
    if fastest is None or found is None:
        return
    yield Goal(
        name="images/s of the fastest variant inside the gate over ONNX Runtime FP32",
        target=SPEEDUP,
        value=found.ratio,
        at_least=True,
        note=f"{fastest.name} on {fastest.performance.machine}; the goal is for a CPU with AMX",
    )
