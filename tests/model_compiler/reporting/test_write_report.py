from pathlib import Path

import cv2
import pytest

from model_compiler.reporting.goal import Goal
from model_compiler.reporting.markdown import render_reports
from model_compiler.reporting.pareto import pareto_front
from model_compiler.reporting.variant_goals import variant_goals
from model_compiler.reporting.write_report import write_report
from model_compiler.selection import Selection
from tests.model_compiler.evaluation.variant_results import BASELINE, difference, int8, metric, performance, variant
from tests.model_compiler.reporting.made_up_report import judged, report


def test_a_page_and_a_picture_for_each_build(tmp_path: Path) -> None:
    paths = write_report([report(), report(hardware_class="arm-cpu")], tmp_path / "out")
    assert [path.name for path in paths] == ["defects-1.2.0_arm-cpu.png", "defects-1.2.0_x86-cpu.png", "report.md"]
    for path in paths[:2]:
        picture = cv2.imread(str(path))
        assert picture is not None
        assert picture.shape[1] == 1320
        assert len(set(map(tuple, picture.reshape(-1, 3).tolist()))) > 20
    assert "![defects-1.2.0_arm-cpu](defects-1.2.0_arm-cpu.png)" in paths[2].read_text()
    assert [path.name for path in (tmp_path / "out").iterdir() if path.name.startswith(".")] == []


def test_the_page_tells_what_was_chosen_and_why_the_others_were_not() -> None:
    page = render_reports([report()], ["picture.png"])
    assert "Chosen: **int8-onnxruntime**: the fastest of 2 inside the gate." in page
    assert "400 frames of heldout (sha256 abababababab), labelled." in page
    row = next(line for line in page.splitlines() if line.startswith("| **int8-onnxruntime** |"))
    assert [cell.strip() for cell in row.split("|")[1:-1]] == [
        "**int8-onnxruntime**",
        "1.20",
        "mAP50 0.746 [0.726, 0.766]",
        "-0.40 points [-0.90, +0.10]",
        "5.0",
        "14.0",
        "180",
        "1.80 [1.70, 1.90]",
        "12.0",
        "1.50",
        "200",
        "inside",
    ]
    assert "- bf16-openvino: min_speedup: 0.90 times the images/s" in page
    assert "- int8-openvino: max_accuracy_drop_points: mAP50 -5.00 points" in page
    assert "- int8-dynamic-onnxruntime: convolutions become slower" in page
    assert "Accurate and quick, none beats them in both: int8-onnxruntime, f32-onnxruntime." in page
    assert "| min-max | mAP50 0.710 [0.690, 0.730] | -4.00 points [-4.90, -3.10] | – | " in page  # noqa: RUF001
    assert "| f32-onnxruntime | 0.800 | 0.700 |" in page
    assert "- int8: 3 nodes stay float" in page


def test_what_was_not_shown_is_told() -> None:
    few = judged(int8(difference=difference(0.0, 0.0, 0.0, frames=50)))
    found = Selection(results={few.name: few}, chosen=few.name, reason="").with_caveats({few.name: ("not verified",)})
    variants = (judged(variant()), found.results[few.name])
    page = render_reports([report(variants=variants, range_methods=())], ["picture.png"])
    assert "| inside, accuracy not proven |" in page
    told = page[page.index("Not shown:") :].splitlines()[2:4]
    assert told[0] == "- int8-onnxruntime: not verified"
    assert told[1].startswith("- int8-onnxruntime: max_accuracy_drop_points: mAP50 +0.00 points")
    assert told[1].endswith("there are 50: not proven")
    assert "Not shown:" not in render_reports([report()], ["picture.png"])


def test_the_noise_of_quantisation_has_a_column_where_it_was_measured() -> None:
    assert "| ranges | accuracy | against FP32 | SQNR dB | note |" in render_reports([report()], ["picture.png"])
    unknown = report(range_methods=[each.model_copy(update={"sqnr_db": None}) for each in report().range_methods])
    assert "| ranges | accuracy | against FP32 | note |" in render_reports([unknown], ["picture.png"])


def test_every_table_is_rectangular() -> None:
    goals = (Goal(name="parameters", target=0.45, value=None, at_least=True),)
    page = render_reports([report(goals=goals)], ["picture.png"])
    tables: list[list[str]] = [[]]
    for line in page.splitlines():
        if line.startswith("|"):
            tables[-1].append(line)
        elif tables[-1]:
            tables.append([])
    widths = [{line.count("|") for line in table} for table in tables if table]
    assert len(widths) == 4
    assert all(len(width) == 1 for width in widths)


def test_another_class_is_said_to_be_unmeasured() -> None:
    page = render_reports([report(hardware_class="jetson-orin-nx")], ["picture.png"])
    assert "Times and memory were not measured on jetson-orin-nx: they decide nothing." in page


def test_goals_are_met_or_missed_by_how_much() -> None:
    extra = (
        Goal(name="fewer parameters", target=0.4, value=0.45, at_least=True),
        Goal(name="student behind teacher", target=3.0, value=4.5, unit="points", at_least=False),
        Goal(name="latency", target=3.0, value=None, at_least=False, note="needs AMX"),
    )
    page = render_reports([report(goals=extra)], ["picture.png"])
    assert "| fewer parameters | at least 0.4 | 0.45 | met |" in page
    assert "| student behind teacher | at most 3 points | 4.5 points | missed by 1.5 points |" in page
    assert "| latency | at most 3 | – | not measured | needs AMX |" in page  # noqa: RUF001
    assert "| INT8 size over FP32 size | at most 0.33 | 0.3 | met | int8-onnxruntime |" in page
    assert "| mAP50 lost by INT8 | at most 1.5 points | 0.4 points | met |" in page
    speed = "images/s of the fastest variant inside the gate over ONNX Runtime FP32"
    assert f"| {speed} | at least 2.5 | 1.8 | missed by 0.7 |" in page


def test_a_variant_that_was_refused_meets_no_speed_goal() -> None:
    lossy = next(each for each in report().variants if each.name == "int8-openvino")
    fast = lossy.model_copy(
        update={"performance": performance(images_per_second=900.0), "images_per_second_rounds": (900.0,) * 3}
    )
    goals = variant_goals(report(variants=(report().variants[0], fast), chosen=None))
    assert [goal.value for goal in goals if goal.name.startswith("images/s")] == [1.0]


def test_without_a_choice_the_goal_is_judged_on_the_fastest_int8_inside_the_gate() -> None:
    notes = [goal.note for goal in variant_goals(report(chosen="f32-onnxruntime"))]
    assert notes[0] == "int8-onnxruntime"
    lossy = tuple(each for each in report().variants if each.name != "int8-onnxruntime")
    goals = variant_goals(report(chosen=None, variants=lossy))
    assert (goals[1].name, goals[1].value) == ("mAP50 lost by INT8", 5.0)
    assert goals[1].missed_by == 3.5


def test_without_int8_or_plain_float_there_is_nothing_to_aim_at() -> None:
    only = report(variants=(variant("bf16-openvino"),), baseline="bf16-openvino", chosen=None)
    assert variant_goals(only) == ()


def test_nothing_measured_is_still_a_report(tmp_path: Path) -> None:
    bare = variant(metrics=(), performance=performance_of_nothing(), images_per_second_rounds=())
    paths = write_report([report(variants=(bare,), chosen=None, choice_reason="")], tmp_path)
    assert "Chosen: no variant: no reason given." in paths[-1].read_text()


def performance_of_nothing() -> dict[str, str]:
    return {"hardware_class": "arm-cpu", "status": "not_measured"}


@pytest.mark.parametrize(
    ("points", "front"),
    [
        ({"a": (0.7, 5.0), "b": (0.8, 9.0), "c": (0.75, 9.5)}, ("a", "b")),
        ({"a": (0.7, 5.0), "b": (0.7, 5.0)}, ("a", "b")),
        ({"a": (0.7, 5.0), "b": (0.7, 4.0)}, ("b",)),
        ({}, ()),
    ],
)
def test_pareto_front(points: dict[str, tuple[float, float]], front: tuple[str, ...]) -> None:
    variants = [
        variant(name, metrics=(metric(accuracy),), performance=performance(latency_p50_ms=latency))
        for name, (accuracy, latency) in points.items()
    ]
    unmeasured = variant(BASELINE, metrics=())
    assert pareto_front([*variants, unmeasured]) == front
