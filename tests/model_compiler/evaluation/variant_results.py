"""Results of variants, made up."""

from typing import Any

from contracts.build_performance import BuildPerformance
from contracts.model_card import Metric
from model_compiler.evaluation.variant_result import AccuracyDifference, Speedup, VariantResult

BASELINE = "f32-onnxruntime"


def performance(**numbers: Any) -> BuildPerformance:
    """Measured on an x86 CPU."""
    given = {
        "hardware_class": "x86-cpu",
        "status": "measured",
        "machine": "a CPU, 2 cores",
        "latency_p50_ms": 10.0,
        "latency_p99_ms": 14.0,
        "images_per_second": 100.0,
        "load_seconds": 1.5,
        "peak_memory_bytes": 200_000_000,
        "cpu_ms_per_image": 12.0,
    }
    return BuildPerformance.model_validate(given | numbers)


def metric(value: float, name: str = "mAP50", n: int = 400) -> Metric:
    """With an interval of two points to either side."""
    return Metric(name=name, value=value, low=value - 0.02, high=value + 0.02, dataset="heldout", n=n)


def difference(points: float, low: float, high: float, frames: int = 400) -> AccuracyDifference:
    """Of mAP50, against the baseline."""
    return AccuracyDifference(metric="mAP50", baseline=BASELINE, points=points, low=low, high=high, frames=frames)


def speedup(ratio: float) -> Speedup:
    """Against the baseline."""
    return Speedup(baseline=BASELINE, ratio=ratio, low=ratio - 0.1, high=ratio + 0.1)


def variant(name: str = BASELINE, **facts: Any) -> VariantResult:
    """A float variant unless told otherwise."""
    given = {
        "name": name,
        "backend": name.rpartition("-")[2],
        "size_bytes": 4_000_000,
        "metrics": (metric(0.75),),
        "performance": performance(),
        "images_per_second_rounds": (98.0, 100.0, 101.0),
    }
    return VariantResult.model_validate(given | facts)


def int8(**facts: Any) -> VariantResult:
    """A good INT8 variant unless told otherwise."""
    given = {"size_bytes": 1_200_000, "difference": difference(-0.4, -0.9, 0.1), "speedup": speedup(1.8)}
    return variant("int8-onnxruntime", **(given | facts))
