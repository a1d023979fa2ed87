from pathlib import Path

import pytest

from model_compiler.errors import InputFileMissing
from model_compiler.proposal.errors import InvalidLabels
from model_compiler.proposal.label_names import read_labels


def test_labels_are_lines_in_order(tmp_path: Path) -> None:
    path = tmp_path / "labels.txt"
    path.write_bytes("\ufeffpass\r\n  scratch \r\nGrübchen\r\n\r\n".encode())
    assert read_labels(path).names == ("pass", "scratch", "Grübchen")
    assert read_labels(path).source == str(path)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "it is empty"),
        (b" \n\n", "it is empty"),
        (b"pit\n\ncrack\n", "line 2 is empty"),
        (b"pit\ncrack\n pit\n", "'pit' is in line 1 and again in line 3"),
        (b"\xff\xfe\x00", "it is not UTF-8 text"),
    ],
)
def test_a_file_that_cannot_be_used(tmp_path: Path, content: bytes, said: str) -> None:
    path = tmp_path / "labels.txt"
    path.write_bytes(content)
    with pytest.raises(InvalidLabels) as caught:
        read_labels(path)
    assert said in str(caught.value)


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(InputFileMissing, match="labels file"):
        read_labels(tmp_path / "labels.txt")
