"""A report of four variants, made up."""

from typing import Any

from model_compiler.evaluation.gate import GateSettings, judge
from model_compiler.evaluation.variant_result import VariantResult
from model_compiler.reporting.build_report import BuildReport, RangeMethodResult
from tests.model_compiler.evaluation.variant_results import (
    BASELINE,
    difference,
    int8,
    metric,
    performance,
    speedup,
    variant,
)


def judged(candidate: VariantResult) -> VariantResult:
    """With the verdict of the default gate."""
    verdict = judge(GateSettings(), baseline=variant(), candidate=candidate, measured_on="x86-cpu", built_for="x86-cpu")
    return candidate.model_copy(update={"verdict": verdict})


def report(**changes: Any) -> BuildReport:
    """INT8 was chosen, bf16 is slower than asked for, OpenVINO's INT8 loses too much."""
    quick = performance(latency_p50_ms=5.0, images_per_second=180.0)
    variants = (
        judged(variant(accuracy_by_label={"pit": 0.8, "dent": 0.7})),
        judged(
            int8(performance=quick, metrics=(metric(0.746),), images_per_second_rounds=(176.4, 180.0, 181.8)),
        ),
        judged(
            variant(
                "bf16-openvino",
                difference=difference(0.1, -0.2, 0.4),
                speedup=speedup(0.9),
                performance=performance(latency_p50_ms=11.0),
            )
        ),
        judged(
            variant(
                "int8-openvino",
                size_bytes=1_100_000,
                metrics=(metric(0.7),),
                difference=difference(-5.0, -6.0, -4.0),
                speedup=speedup(1.2),
                performance=performance(latency_p50_ms=8.0, images_per_second=140.0),
            )
        ),
    )
    given = {
        "model": "defects",
        "version": "1.2.0",
        "hardware_class": "x86-cpu",
        "measured_on": "x86-cpu",
        "dataset": "heldout",
        "dataset_sha256": "ab" * 32,
        "frames": 400,
        "baseline": BASELINE,
        "variants": variants,
        "refused": {"int8-dynamic-onnxruntime": "convolutions become slower"},
        "chosen": "int8-onnxruntime",
        "choice_reason": "the fastest of 2 inside the gate",
        "range_methods": (
            RangeMethodResult(method="min-max", metric=metric(0.71), difference=difference(-4.0, -4.9, -3.1)),
            RangeMethodResult(method="percentile", metric=metric(0.746), sqnr_db=31.25, note="chosen"),
        ),
        "notes": ("int8: 3 nodes stay float",),
    }
    return BuildReport.model_validate(given | changes)
