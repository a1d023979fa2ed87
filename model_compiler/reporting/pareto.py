"""Which variants are worth a look: those that no other one beats in both respects."""

from collections.abc import Sequence

from model_compiler.evaluation.variant_result import VariantResult


def accuracy_and_latency(variant: VariantResult) -> tuple[float, float] | None:
    """Accuracy (without labels agreement with the float model) and median latency in ms; None where one is missing."""
    metric = variant.accuracy or variant.agreement
    latency = variant.performance.latency_p50_ms
    return None if metric is None or latency is None else (metric.value, latency)


def pareto_front(variants: Sequence[VariantResult]) -> tuple[str, ...]:
    """Names of the variants that no other one equals in both and beats in one; quickest first."""
    points = {variant.name: point for variant in variants if (point := accuracy_and_latency(variant)) is not None}
    front = [name for name, point in points.items() if not any(_beats(other, point) for other in points.values())]
    return tuple(sorted(front, key=lambda name: points[name][1]))


def _beats(other: tuple[float, float], point: tuple[float, float]) -> bool:
    return other != point and other[0] >= point[0] and other[1] <= point[1]
