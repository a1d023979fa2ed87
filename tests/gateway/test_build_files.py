from hashlib import sha256
from pathlib import Path

import pytest

from contracts.build_manifest import BuildManifest
from gateway.supervision.build_files import CorruptBuild, intact_files

NAME = "defects-1.0.0_x86-cpu"


@pytest.fixture
def build(tmp_path: Path) -> Path:
    folder = tmp_path / NAME
    (folder / "1").mkdir(parents=True)
    (folder / "config.pbtxt").write_text("name")
    (folder / "1" / "model.onnx").write_bytes(b"weights")
    files = {name: sha256((folder / name).read_bytes()).hexdigest() for name in ("config.pbtxt", "1/model.onnx")}
    (folder / "manifest.json").write_text(BuildManifest(build=NAME, files=files).model_dump_json())
    return folder


FILES = {"config.pbtxt": sha256(b"name").hexdigest(), "1/model.onnx": sha256(b"weights").hexdigest()}


def test_an_intact_build_passes(build: Path) -> None:
    assert intact_files(build) == FILES


def test_one_without_a_manifest_is_taken_as_it_is(build: Path) -> None:
    (build / "manifest.json").unlink()
    assert intact_files(build) == FILES


def test_a_changed_file_is_named(build: Path) -> None:
    (build / "1" / "model.onnx").write_bytes(b"weighty")
    with pytest.raises(CorruptBuild, match=r"1/model\.onnx differs from the manifest; install the build again"):
        intact_files(build)


def test_a_missing_file_is_named(build: Path) -> None:
    (build / "config.pbtxt").unlink()
    with pytest.raises(CorruptBuild, match=r"config\.pbtxt is missing"):
        intact_files(build)


@pytest.mark.parametrize("added", ["2/model.onnx", "1/model.onnx.data", "notes\udcff"])
def test_a_file_that_the_manifest_does_not_list_is_named(build: Path, added: str) -> None:
    (build / added).parent.mkdir(exist_ok=True)
    (build / added).write_bytes(b"more")
    with pytest.raises(CorruptBuild) as caught:
        intact_files(build)
    printable = added.replace("\udcff", "\\udcff")
    assert str(caught.value) == f"{printable} is not in the manifest; install the build again"


def test_linked_files_and_folders_are_looked_into_and_a_loop_of_links_ends(build: Path, tmp_path: Path) -> None:
    (build / "1").rename(tmp_path / "elsewhere")
    (build / "1").symlink_to(tmp_path / "elsewhere")
    assert intact_files(build) == FILES
    (build / "manifest.json").unlink()
    (build / "2").symlink_to("1")
    (tmp_path / "elsewhere" / "up").symlink_to(build)
    assert intact_files(build) == {**FILES, "2/model.onnx": FILES["1/model.onnx"]}


def test_a_manifest_of_another_build_or_none_at_all(build: Path) -> None:
    (build / "manifest.json").write_text(BuildManifest(build="other-1.0.0_x86-cpu", files={}).model_dump_json())
    with pytest.raises(CorruptBuild, match="is of another build"):
        intact_files(build)
    (build / "manifest.json").write_text("{}")
    with pytest.raises(CorruptBuild, match="is malformed"):
        intact_files(build)
