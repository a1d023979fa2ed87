"""Which classes hold a model and keep its deadline."""

import pytest

from contracts.build_performance import BuildPerformance
from model_compiler.hardware_catalogue import read_hardware_classes
from model_compiler.planning.advice import Workload, advice_for
from model_compiler.planning.answers import Answers
from model_compiler.planning.battery import Battery
from model_compiler.planning.hardware_fit import HardwareFit, rank_hardware

CLASSES = read_hardware_classes()
SMALL = 100_000_000


def measured(name: str, p99_ms: float, memory: int = SMALL) -> dict[str, BuildPerformance]:
    entry = BuildPerformance(hardware_class=name, status="measured", latency_p99_ms=p99_ms, peak_memory_bytes=memory)
    return {name: entry}


def rank(answers: Answers, performance: dict[str, BuildPerformance] | None = None) -> dict[str, HardwareFit]:
    return {fit.name: fit for fit in rank_hardware(CLASSES.values(), answers, performance or {})}


def test_a_class_fits_only_where_its_latency_was_measured() -> None:
    answers = Answers(latency_budget_ms=60, model_memory_bytes=SMALL)
    fits = rank(answers, measured("x86-cpu", 40))
    assert next(iter(fits)) == "x86-cpu"
    assert fits["x86-cpu"].status == "fits"
    # 275 TOPS are no latency
    assert fits["jetson-agx-orin"].status == "measure first"
    assert fits["jetson-agx-orin"].estimated_p99_ms is None
    assert "latency not measured here (60 ms left)" in fits["jetson-agx-orin"].reasons


def test_a_measured_latency_above_what_is_left_does_not_fit() -> None:
    answers = Answers(latency_budget_ms=60, other_stages_ms=25)
    fit = rank(answers, measured("x86-cpu", 40))["x86-cpu"]
    assert (fit.status, fit.reasons[0]) == ("does not fit", "p99 40 ms of 35 ms")


def test_a_measured_latency_above_the_class_ceiling_does_not_fit() -> None:
    fit = rank(Answers(latency_budget_ms=500), measured("x86-cpu", 220))["x86-cpu"]
    assert fit.status == "does not fit"
    assert "above the class's ceiling of 200 ms" in fit.reasons[0]


def test_heat_makes_a_measured_latency_longer() -> None:
    answers = Answers(latency_budget_ms=60, ambient_celsius=40)
    fit = rank(answers, measured("x86-cpu", 50))["x86-cpu"]
    assert fit.estimated_p99_ms == pytest.approx(50 / 0.8)
    assert fit.status == "does not fit"


def test_needs_that_a_class_is_not_meant_for_are_not_planned_on_it() -> None:
    fits = rank(Answers(latency_budget_ms=20))
    assert fits["arm-cpu"].status == "does not fit"
    assert "meant for needs from 100 ms" in fits["arm-cpu"].reasons[0]
    assert fits["jetson-orin-nx"].status == "measure first"


def test_a_model_above_the_ceiling_does_not_fit() -> None:
    fits = rank(Answers(model_memory_bytes=3_000_000_000), measured("jetson-orin-nx", 20, memory=3_000_000_000))
    assert fits["jetson-orin-nano"].status == "does not fit"
    assert "needs 2.79 GiB, 2 GiB for models" in fits["jetson-orin-nano"].reasons
    assert fits["jetson-orin-nx"].status == "fits"


def test_memory_measured_on_a_class_counts_there() -> None:
    answers = Answers(model_memory_bytes=SMALL)
    fits = rank(answers, measured("x86-cpu", 10, memory=5_000_000_000))
    assert fits["x86-cpu"].status == "does not fit"
    assert "needs 95.4 MiB of 1 GiB for models" in fits["arm-cpu"].reasons


def test_weights_alone_do_not_say_that_a_model_fits() -> None:
    performance = {"x86-cpu": BuildPerformance(hardware_class="x86-cpu", status="measured", latency_p99_ms=9)}
    assert rank(Answers(model_memory_bytes=SMALL), performance)["x86-cpu"].status == "fits"
    weights = Answers(model_memory_bytes=SMALL, model_memory_is_peak=False)
    assert rank(weights, performance)["x86-cpu"].status == "measure first"
    assert rank(Answers(), performance)["x86-cpu"].status == "measure first"


def test_what_was_measured_nowhere_is_to_be_measured() -> None:
    assert {fit.status for fit in rank(Answers(model_memory_bytes=SMALL)).values()} == {"measure first"}


def test_the_smallest_that_fits_comes_first() -> None:
    names = list(rank(Answers(model_memory_bytes=SMALL)))
    assert names[:3] == ["arm-cpu", "jetson-orin-nano", "intel-lowpower-detector"]
    assert names[-1] == "factory-gateway-gpu"


def test_power_cooling_heat_and_battery_leave_classes_out() -> None:
    answers = Answers(
        model_memory_bytes=SMALL,
        watts_limit=12,
        needs_passive_cooling=True,
        ambient_celsius=50,
        battery=Battery(10, 10),
        other_watts=2,
        hours_wanted=8,
    )
    fits = rank(answers)
    assert [name for name, fit in fits.items() if fit.status != "does not fit"] == [
        "jetson-vision-standard",
        "jetson-orin-nx",
    ]
    assert fits["jetson-agx-orin"].reasons[0] == "draws 15 W at least, 12 W are allowed"
    assert fits["jetson-orin-nano"].reasons[0] == "active cooling"
    assert fits["arm-cpu"].reasons[0] == "for up to 40 C around it"
    mode = fits["jetson-orin-nx"].power_mode
    assert mode is not None
    assert mode.name == "10W"


def test_a_battery_that_is_too_small_leaves_a_class_out() -> None:
    fits = rank(Answers(battery=Battery(5, 7.4), hours_wanted=4))
    assert fits["x86-cpu"].reasons[0] == "2.47 h in mode capped, 4 h are wanted"
    fits = rank(Answers(battery=Battery(5, 7.4), hours_wanted=4, other_watts=5))
    assert fits["x86-cpu"].reasons[0] == "1.85 h in mode capped, 4 h are wanted"


@pytest.mark.parametrize(
    ("workload", "best", "target"),
    [
        ("battery-video", "jetson-orin-nx", "Jetson Orin NX"),
        ("several-models", "jetson-agx-orin", "Jetson AGX Orin"),
        ("portable", "x86-cpu", "OpenVINO"),
        ("mobile", None, "Snapdragon"),
        ("wireless-gateway", None, "Ethos-U"),
        ("sensor", None, "microcontroller"),
    ],
)
def test_kinds_of_work_have_a_first_target(workload: Workload, best: str | None, target: str) -> None:
    advice = advice_for(workload)
    assert target in advice.target
    first = rank_hardware(CLASSES.values(), Answers(), {}, advice.classes)[0].name
    if best is None:
        assert "no Triton: export INT8 Q/DQ ONNX" in advice.because
        assert advice.classes == ()
    else:
        assert first == best


def test_advice_says_nothing_that_is_not_so() -> None:
    assert "no FP32 or FP16" in advice_for("wireless-gateway").because
    assert "15 to 60 W" in advice_for("several-models").because
    every = " ".join(advice_for(kind).target for kind in ("portable", "sensor", "mobile"))
    assert "Movidius" not in every
