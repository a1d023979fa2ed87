from typing import Any

import pytest
from pydantic import ValidationError

from model_compiler.evaluation.gate import GateSettings, judge
from model_compiler.evaluation.gate_verdict import GateCheck, GateVerdict
from model_compiler.evaluation.variant_result import VariantResult
from tests.model_compiler.evaluation.variant_results import difference, int8, metric, performance, speedup, variant


def verdict(settings: GateSettings, candidate: VariantResult, built_for: str = "x86-cpu") -> GateVerdict:
    return judge(settings, baseline=variant(), candidate=candidate, measured_on="x86-cpu", built_for=built_for)


def check(found: GateVerdict, name: str) -> GateCheck:
    return next(each for each in found.checks if each.name == name)


def test_a_good_variant_passes_everything_that_is_asked() -> None:
    limits = GateSettings(
        max_latency_ms=20, max_load_seconds=3, max_memory_mb=500, max_size_mb=2, max_size_ratio=0.33, min_speedup=1.5
    )
    found = verdict(limits, int8())
    assert found.passed
    assert [(each.name, each.status) for each in found.checks] == [
        ("max_accuracy_drop_points", "pass"),
        ("min_speedup", "pass"),
        ("max_latency_ms", "pass"),
        ("max_load_seconds", "pass"),
        ("max_memory_mb", "pass"),
        ("max_size_mb", "pass"),
        ("max_size_ratio", "pass"),
    ]


def test_limits_that_are_not_given_are_not_checked() -> None:
    assert [each.name for each in verdict(GateSettings(), int8()).checks] == ["max_accuracy_drop_points", "min_speedup"]


@pytest.mark.parametrize(
    ("low", "passed", "excess"), [(-1.5, True, 0.0), (-1.6, False, 0.1), (0.3, True, -1.5), (-9.0, False, 7.5)]
)
def test_accuracy_is_decided_on_the_lower_end_of_the_paired_interval(low: float, passed: bool, excess: float) -> None:
    found = verdict(GateSettings(), int8(difference=difference(low + 0.4, low, low + 0.8)))
    assert found.passed is passed
    assert check(found, "max_accuracy_drop_points").excess == pytest.approx(excess)


def test_a_miss_says_which_limit_and_by_how_much() -> None:
    found = verdict(GateSettings(), int8(difference=difference(-2.0, -2.75, -1.3)))
    assert found.failures[0] == (
        "max_accuracy_drop_points: mAP50 -2.00 points against f32-onnxruntime [-2.75, -1.30] on 400 frames,"
        " at most 1.5 may be lost: missed by 1.25"
    )


def unchanged(frames: int, **facts: Any) -> VariantResult:
    """Equal to its baseline on every frame, as far as labelled frames tell."""
    return int8(difference=difference(0.0, 0.0, 0.0, frames=frames), **facts)


@pytest.mark.parametrize(
    ("limit", "frames", "status"),
    [(1.5, 199, "fail"), (1.5, 200, "pass"), (100, 2, "fail"), (100, 3, "pass"), (0.5, 599, "fail")],
)
def test_no_change_among_few_frames_proves_no_stated_limit(limit: float, frames: int, status: str) -> None:
    found = verdict(GateSettings(max_accuracy_drop_points=limit), unchanged(frames))
    assert check(found, "max_accuracy_drop_points").status == status


def test_a_limit_that_frames_cannot_decide_is_a_miss_that_says_how_many_are_needed() -> None:
    found = verdict(GateSettings(max_accuracy_drop_points=1.5), unchanged(50))
    assert found.failures[0] == (
        "max_accuracy_drop_points: mAP50 +0.00 points against f32-onnxruntime [+0.00, +0.00] on 50 frames, at most 1.5"
        " may be lost; that takes 200 frames with something to compare, there are 50; give more frames, set"
        " max_accuracy_drop_points to 6, or leave max_accuracy_drop_points out, then it is stated as not proven:"
        " missed by 4.5"
    )
    assert verdict(GateSettings(max_accuracy_drop_points=6), unchanged(50)).passed


def test_a_default_that_frames_cannot_decide_is_not_proven() -> None:
    found = verdict(GateSettings(), unchanged(50))
    assert found.passed
    assert found.not_proven[0].endswith("takes 200 frames with something to compare, there are 50: not proven")
    assert (check(found, "max_accuracy_drop_points").value, check(found, "max_accuracy_drop_points").limit) == (6, 1.5)
    assert verdict(GateSettings(), unchanged(200)).not_proven == ()


def test_what_few_frames_show_to_be_worse_is_a_miss_by_default() -> None:
    found = verdict(GateSettings(), int8(difference=difference(-1.0, -4.0, 2.0, frames=50)))
    assert (found.passed, found.not_proven) == (False, ())
    assert "more frames would narrow the interval: missed by 2.5" in found.failures[0]


def test_frames_without_a_box_decide_nothing() -> None:
    assert verdict(GateSettings(), unchanged(400, deciding_frames=200)).not_proven == ()
    assert "there are 199" in verdict(GateSettings(), unchanged(400, deciding_frames=199)).not_proven[0]
    assert "there are 0: not proven" in verdict(GateSettings(), unchanged(400, deciding_frames=0)).not_proven[0]
    found = verdict(GateSettings(max_accuracy_drop_points=1.5), unchanged(400, deciding_frames=0))
    assert "there are 0; give more frames, or leave" in found.failures[0]


def test_a_recipe_can_ask_for_more_frames() -> None:
    found = verdict(GateSettings(min_frames=500), unchanged(400))
    assert (
        "takes 500 frames with something to compare, there are 400; give more frames, or a lower min_frames"
        in found.failures[0]
    )


@pytest.mark.parametrize(("value", "passed"), [(0.93, True), (0.91, False)])
def test_without_labels_agreement_decides_by_its_lower_end(value: float, passed: bool) -> None:
    found = verdict(GateSettings(), int8(difference=None, metrics=(), agreement=metric(value, "agreement_f1")))
    assert found.passed is passed
    assert check(found, "min_agreement").value == pytest.approx(value - 0.02)


@pytest.mark.parametrize(("limit", "frames"), [(0.9, 30), (0.98, 150), (0.5, 6)])
def test_full_agreement_on_a_few_frames_proves_no_stated_limit(limit: float, frames: int) -> None:
    def found(n: int) -> GateVerdict:
        agreement = metric(1.0, "agreement_f1", n=n).model_copy(update={"low": 1.0})
        return verdict(
            GateSettings(min_agreement=limit), int8(difference=None, metrics=(), agreement=agreement, speedup=None)
        )

    assert found(frames).passed
    assert f"takes {frames} frames with something to compare, there are {frames - 1}" in found(frames - 1).failures[0]


def test_by_default_agreement_on_a_few_frames_is_not_proven() -> None:
    found = verdict(GateSettings(), int8(difference=None, metrics=(), agreement=metric(1.0, "agreement_f1", n=29)))
    assert found.passed
    assert "there are 29: not proven" in found.not_proven[0]
    assert check(found, "min_agreement").value == pytest.approx(0.896)


def test_a_variant_slower_than_its_float_baseline_is_refused() -> None:
    found = verdict(GateSettings(), int8(speedup=speedup(0.96)))
    assert found.failures == (
        "min_speedup: 0.96 times the images/s of f32-onnxruntime, at least 1 times is asked for: missed by 0.04",
    )


@pytest.mark.parametrize(
    ("limits", "numbers", "expected"),
    [
        ({"max_latency_ms": 12.0}, {}, "max_latency_ms: latency p99 14 ms, at most 12 is allowed: missed by 2"),
        ({"max_load_seconds": 1.0}, {}, "max_load_seconds: load 1.5 s, at most 1 is allowed: missed by 0.5"),
        ({"max_memory_mb": 150}, {}, "max_memory_mb: peak memory 200 MB, at most 150 is allowed: missed by 50"),
        ({"max_size_mb": 1.0}, {}, "max_size_mb: size 1.2 MB, at most 1 is allowed: missed by 0.2"),
        (
            {"max_size_ratio": 0.25},
            {},
            "max_size_ratio: size 0.3 times that of f32-onnxruntime, at most 0.25 is allowed: missed by 0.05",
        ),
    ],
)
def test_every_limit_can_fail(limits: dict[str, float], numbers: dict[str, Any], expected: str) -> None:
    assert verdict(GateSettings.model_validate(limits), int8(**numbers)).failures == (expected,)


def test_times_of_another_class_are_never_a_pass() -> None:
    limits = GateSettings(max_latency_ms=1000, max_load_seconds=100, max_memory_mb=10_000, max_size_mb=2)
    found = verdict(limits, int8(speedup=speedup(0.5)), built_for="jetson-orin-nx")
    assert found.passed  # nothing failed: what matters is open, and said to be
    assert found.not_measured == ("min_speedup", "max_latency_ms", "max_load_seconds", "max_memory_mb")
    assert check(found, "max_latency_ms").reason == (
        "max_latency_ms: not measured (measured on x86-cpu, not on jetson-orin-nx)"
    )
    assert check(found, "max_size_mb").status == "pass"


def test_a_number_that_is_missing_is_open() -> None:
    found = verdict(GateSettings(max_memory_mb=1), int8(performance=performance(peak_memory_bytes=None)))
    assert found.not_measured == ("max_memory_mb",)
    assert verdict(GateSettings(), int8(speedup=None)).not_measured == ("min_speedup",)


def test_what_has_nothing_to_be_compared_with_is_refused() -> None:
    alone = int8(difference=None, speedup=None)
    found = judge(GateSettings(), baseline=None, candidate=alone, measured_on="x86-cpu", built_for="x86-cpu")
    assert found.failures == (
        "max_accuracy_drop_points: no FP32 variant was measured to compare with; add f32 to the variants",
    )
    assert found.not_measured == ("min_speedup",)


def test_a_pruned_float_variant_is_no_baseline_of_its_own() -> None:
    alone = variant("f32-openvino-pruned")
    found = judge(GateSettings(), baseline=None, candidate=alone, measured_on="x86-cpu", built_for="x86-cpu")
    assert "no FP32 variant was measured" in found.failures[0]


def test_the_baseline_is_not_compared_with_itself() -> None:
    found = verdict(GateSettings(max_latency_ms=12, max_size_ratio=0.5), variant())
    assert [(each.name, each.status) for each in found.checks] == [("max_latency_ms", "fail")]


def test_a_hardware_class_can_only_tighten() -> None:
    settings = GateSettings(max_latency_ms=20.0, max_memory_mb=100.0)
    assert settings.within(latency_ms=10.0, memory_mb=300.0, load_seconds=5.0) == GateSettings(
        max_latency_ms=10.0, max_memory_mb=100.0, max_load_seconds=5.0
    )
    assert settings.within() == settings


@pytest.mark.parametrize("wrong", [{"max_accuracy_drop_points": 0}, {"min_agreement": 1}, {"max_latency": 5}])
def test_wrong_limits_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValidationError):
        GateSettings.model_validate(wrong)


def test_a_card_has_no_times_of_another_class() -> None:
    assert int8().performance_on("x86-cpu").images_per_second == 100.0
    other = int8().performance_on("arm-cpu")
    assert (other.hardware_class, other.status, other.images_per_second) == ("arm-cpu", "not_measured", None)


def test_of_what_was_not_measured_only_the_size_is_decided() -> None:
    alone = int8(difference=None, speedup=None, metrics=(), not_measured="no frames")
    limits = GateSettings(max_latency_ms=1, max_load_seconds=1, max_memory_mb=1, max_size_mb=2, max_size_ratio=0.1)
    found = verdict(limits, alone)
    assert [(each.name, each.status) for each in found.checks] == [
        ("max_accuracy_drop_points", "not_measured"),
        ("min_speedup", "not_measured"),
        ("max_latency_ms", "not_measured"),
        ("max_load_seconds", "not_measured"),
        ("max_memory_mb", "not_measured"),
        ("max_size_mb", "pass"),
        ("max_size_ratio", "fail"),
    ]
    assert check(found, "max_latency_ms").reason == "max_latency_ms: not measured (no frames)"
    assert alone.not_shown == ("nothing was measured: no frames",)


def test_a_ratio_without_a_float_variant_is_a_miss() -> None:
    limits = GateSettings(max_size_ratio=2.0)
    found = judge(limits, baseline=None, candidate=variant(), measured_on="x86-cpu", built_for="x86-cpu")
    assert check(found, "max_size_ratio").status == "fail"


def test_which_limits_need_measuring() -> None:
    assert GateSettings().stated_to_measure == ()
    assert GateSettings(max_size_mb=1, max_size_ratio=1, min_speedup=0).stated_to_measure == ()
    assert GateSettings(min_speedup=1, max_latency_ms=5).stated_to_measure == ("min_speedup", "max_latency_ms")
