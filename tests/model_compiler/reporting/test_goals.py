"""Goals that take two forms of a model, two models, or a file."""

from pathlib import Path

import pytest

from model_compiler.__main__ import main
from model_compiler.reporting.build_report import BuildReport
from model_compiler.reporting.errors import ReportUnreadable
from model_compiler.reporting.family_goals import family_goals
from model_compiler.reporting.goal import Goal
from model_compiler.reporting.goal_file import read_goals
from model_compiler.reporting.pruning_goals import pruning_goals
from model_compiler.reporting.variant_goals import variant_goals
from tests.model_compiler.evaluation.variant_results import BASELINE, difference, int8, metric, performance, variant
from tests.model_compiler.reporting.made_up_report import report


def pruned(**facts: object) -> BuildReport:
    narrow = variant(
        f"{BASELINE}-pruned",
        **({"parameter_count": 550, "difference": difference(-0.7, -1.1, -0.2)} | facts),
    )
    return report(variants=(variant(parameter_count=1000), narrow), chosen=None)


def test_what_pruning_saves_and_costs() -> None:
    goals = list(pruning_goals(pruned(performance=performance(latency_p50_ms=9.0))))
    assert [goal.value for goal in goals] == pytest.approx([0.45, 0.7, 0.9])
    assert all(goal.missed_by is not None and goal.missed_by <= 0 for goal in goals)
    assert goals[0].note == "1,000 to 550"
    assert "-1.10 to -0.20 on 400 frames" in goals[1].note


def test_pruning_that_is_too_little_too_lossy_and_slow_misses_each_goal() -> None:
    worse = pruned(
        parameter_count=700, difference=difference(-2.0, -3.0, -1.0), performance=performance(latency_p50_ms=11.0)
    )
    assert [round(goal.missed_by or 0.0, 3) for goal in pruning_goals(worse)] == [0.1, 1.0, 0.1]


def test_a_build_without_a_pruned_form_has_no_such_goals() -> None:
    assert list(pruning_goals(report())) == []


def test_the_goals_of_int8_are_those_of_the_whole_network() -> None:
    narrow = int8(size_bytes=10, images_per_second_rounds=(900.0,)).model_copy(
        update={"name": "int8-onnxruntime-pruned"}
    )
    both = report(variants=(*report().variants, narrow), chosen="int8-onnxruntime-pruned")
    assert variant_goals(both)[0].note == "int8-onnxruntime"


def family(student_map50: float, **changes: object) -> list[Goal]:
    student = report(
        variants=(variant(parameter_count=100, metrics=(metric(student_map50),)),), chosen=None, teacher="defects-cloud"
    )
    teacher = report(
        model="defects-cloud", variants=(variant(parameter_count=720, metrics=(metric(0.85),)),), chosen=None
    ).model_copy(update=changes)
    return list(family_goals([student, teacher]))


def test_a_student_is_compared_with_its_teacher() -> None:
    goals = family(0.80)
    assert [goal.value for goal in goals] == [pytest.approx(7.2), pytest.approx(5.0)]
    assert goals[1].missed_by == pytest.approx(2.0)
    assert goals[1].name == "mAP50 of defects behind defects-cloud"


@pytest.mark.parametrize("other", [{"hardware_class": "arm-cpu"}, {"dataset_sha256": "cd" * 32}, {"model": "another"}])
def test_only_with_its_own_teacher_on_the_same_frames(other: dict[str, str]) -> None:
    assert family(0.80, **other) == []


def test_goals_from_a_file_stand_on_the_page(tmp_path: Path) -> None:
    report().write(tmp_path / "one.json")
    (tmp_path / "seeds.goals.json").write_text('[{"name": "more", "target": 0, "value": 1.5, "at_least": true}]')
    assert main(["report", str(tmp_path)]) == 0
    page = (tmp_path / "report.md").read_text()
    assert "## Between the models" in page
    assert "| more | at least 0 | 1.5 | met |" in page


@pytest.mark.parametrize("content", ["[{}]", "nonsense", '[{"name": "a", "target": 1, "value": 1, "at_least": 3.5}]'])
def test_a_file_that_holds_no_goals(tmp_path: Path, content: str) -> None:
    (tmp_path / "a.goals.json").write_text(content)
    with pytest.raises(ReportUnreadable, match=r"a\.goals\.json"):
        read_goals(tmp_path / "a.goals.json")


def test_goals_alone_are_no_report(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a.goals.json").write_text("[]")
    assert main(["report", str(tmp_path)]) != 0
    assert "build report" in capsys.readouterr().err
