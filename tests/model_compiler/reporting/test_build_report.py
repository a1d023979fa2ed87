import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from model_compiler.errors import InputFileMissing
from model_compiler.reporting.build_report import BuildReport
from model_compiler.reporting.errors import ReportUnreadable
from tests.model_compiler.reporting.made_up_report import report


def test_survives_its_file(tmp_path: Path) -> None:
    made = report()
    made.write(tmp_path / "sub" / "report.json")
    assert BuildReport.read(tmp_path / "sub" / "report.json") == made
    assert made.build == "defects-1.2.0_x86-cpu"


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ("{", "content: Invalid JSON"),
        ("[]", "content: Input should be an object"),
        ('{"model": "a"}', "version: Field"),
    ],
)
def test_another_file_is_refused(tmp_path: Path, content: str, problem: str) -> None:
    path = tmp_path / "serving.json"
    path.write_text(content)
    with pytest.raises(ReportUnreadable, match=f"serving.json is not a build report: {problem}"):
        BuildReport.read(path)


def test_a_damaged_report_names_the_place(tmp_path: Path) -> None:
    path = tmp_path / "report.json"
    report().write(path)
    content: dict[str, Any] = json.loads(path.read_text())
    content["variants"][1]["size_bytes"] = -4
    path.write_text(json.dumps(content))
    with pytest.raises(ReportUnreadable, match=r"variants\.1\.size_bytes: Input should be greater"):
        BuildReport.read(path)


def test_no_file(tmp_path: Path) -> None:
    with pytest.raises(InputFileMissing, match="build report"):
        BuildReport.read(tmp_path / "none.json")


@pytest.mark.parametrize("wrong", [{"baseline": "f16-onnxruntime"}, {"chosen": "f16-onnxruntime"}])
def test_it_names_its_own_variants(wrong: dict[str, str]) -> None:
    with pytest.raises(ValidationError, match="must be among the variants"):
        report(**wrong)
