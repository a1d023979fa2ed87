from pathlib import Path

import pytest

from model_training.atomic_file import write_atomically


def test_a_file_is_replaced_and_its_folder_made(tmp_path: Path) -> None:
    for content in (b"first", b"second"):
        write_atomically(tmp_path / "new" / "file", content)
        assert (tmp_path / "new" / "file").read_bytes() == content
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["file"]


def test_what_cannot_be_written_leaves_nothing_behind(tmp_path: Path) -> None:
    (tmp_path / "file").mkdir()
    with pytest.raises(OSError, match="file"):
        write_atomically(tmp_path / "file", b"content")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
