from pathlib import Path

from gateway.supervision.plan_copies import remove_plan_copies

CONFIG = 'parameters {\n  key: "outpost_engines"\n  value {\n    string_value: "OWNER"\n  }\n}\n'


def copy(folder: Path, name: str, config: str) -> Path:
    (folder / name / "1").mkdir(parents=True)
    (folder / name / "config.pbtxt").write_text(config)
    (folder / name / "1" / "model.plan").write_bytes(b"plan")
    return folder / name


def test_only_our_own_copies_go(tmp_path: Path) -> None:
    ours = copy(tmp_path, "folderAbC123", CONFIG.replace("OWNER", "0123456789abcdef"))
    others = [
        copy(tmp_path, "folderAbC124", CONFIG.replace("OWNER", "fedcba9876543210")),
        copy(tmp_path, "folderAbC125", 'name: "somebody else\'s 0123456789abcdef"'),
        copy(tmp_path, "folder", CONFIG.replace("OWNER", "0123456789abcdef")),
    ]
    (tmp_path / "folderAbC126").mkdir()
    (tmp_path / "folderAbC127").write_text("a file")
    assert remove_plan_copies("0123456789abcdef", tmp_path) == 1
    assert not ours.exists()
    assert all((other / "1" / "model.plan").exists() for other in others)
    assert remove_plan_copies("0123456789abcdef", tmp_path) == 0
