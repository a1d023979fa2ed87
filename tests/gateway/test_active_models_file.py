from pathlib import Path

import pytest

from gateway.supervision.active_models_file import ActiveModelsFile

GOOD = '{"models": {"defects": {"stable": "defects-1.0.0_x86-cpu"}}}'
BETTER = '{"models": {"defects": {"stable": "defects-1.1.0_x86-cpu", "previous": "defects-1.0.0_x86-cpu"}}}'


def test_the_file_is_read_when_it_changes(tmp_path: Path) -> None:
    path = tmp_path / "active.json"
    path.write_text(GOOD)
    file = ActiveModelsFile(path)
    assert file.refresh()
    assert file.current.builds() == ("defects-1.0.0_x86-cpu",)
    assert not file.refresh()
    path.write_text(BETTER)
    assert file.refresh()
    assert file.current.builds() == ("defects-1.1.0_x86-cpu", "defects-1.0.0_x86-cpu")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("{", "Invalid JSON"),
        ('{"models": {"defects": {"stable": "defects"}}}', "models.defects.stable"),
        ('{"models": {"Defects!": {"stable": "defects-1.0.0_x86-cpu"}}}', "models"),
        ('{"models": {}, "extra": 1}', "extra"),
        ('{"models": {"d": {"stable": "d-1.0.0_c", "canary": {"build": "d-2.0.0_c", "share": 2}}}}', "share"),
        ('{"schema_version": 2, "models": {}}', "schema_version"),
        ('{"models": {"d-1.0.0_c": {"stable": "d-1.0.0_c"}}}', "should match pattern"),
        ("", "Invalid JSON"),
    ],
)
def test_a_malformed_file_is_named_and_the_last_good_one_stays(tmp_path: Path, text: str, problem: str) -> None:
    path = tmp_path / "active.json"
    path.write_text(GOOD)
    file = ActiveModelsFile(path)
    file.refresh()
    path.write_text(text)
    assert file.refresh()
    assert problem in file.problem
    assert "the last good content stays in force" in file.problem
    assert file.current.builds() == ("defects-1.0.0_x86-cpu",)
    path.write_text(BETTER)
    assert file.refresh()
    assert file.problem == ""


def test_a_file_that_is_gone_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "active.json"
    path.write_text(GOOD)
    file = ActiveModelsFile(path)
    file.refresh()
    path.unlink()
    file.refresh()
    assert "cannot be read" in file.problem
    assert file.current.builds() == ("defects-1.0.0_x86-cpu",)
