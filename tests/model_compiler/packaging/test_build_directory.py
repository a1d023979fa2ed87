"""Builds are written whole or not at all, and checked when they come back."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from model_compiler.errors import BuildExists, InputFileMissing, InvalidBuild
from model_compiler.packaging.build_check import find_problems
from model_compiler.packaging.build_directory import read_build, verify_build, write_build
from model_compiler.recipe import Recipe
from tests.model_compiler.packaged import packaged

NAME = "defects-1.2.0_x86-cpu"


@pytest.fixture
def files(recipe: Recipe) -> Mapping[str, bytes]:
    return packaged(recipe).build


def test_a_written_build_is_sound_and_readable_by_others(files: Mapping[str, bytes], tmp_path: Path) -> None:
    directory = write_build(NAME, files, tmp_path / "repository")
    assert read_build(directory) == files
    assert directory == tmp_path / "repository" / NAME
    verify_build(directory)
    assert directory.stat().st_mode & 0o755 == 0o755
    assert [entry.name for entry in (tmp_path / "repository").iterdir()] == [NAME]


def test_a_build_is_never_overwritten(files: Mapping[str, bytes], tmp_path: Path) -> None:
    directory = write_build(NAME, files, tmp_path)
    with pytest.raises(BuildExists, match="raise the version"):
        write_build(NAME, {**files, "card.json": b"{}"}, tmp_path)
    verify_build(directory)


def test_nothing_is_left_of_a_build_that_could_not_be_written(files: Mapping[str, bytes], tmp_path: Path) -> None:
    repository = tmp_path / "repository"
    with pytest.raises(OSError, match=r"card\.json"):
        write_build(NAME, {**files, "card.json/inside": b"a file is in the way"}, repository)
    assert list(repository.iterdir()) == []


class _Interrupted(dict[str, bytes]):
    """Files of which the last cannot be had."""

    def items(self) -> Any:
        yield from super().items()
        raise KeyboardInterrupt


def test_nothing_is_left_of_a_build_that_was_interrupted(files: Mapping[str, bytes], tmp_path: Path) -> None:
    repository = tmp_path / "repository"
    with pytest.raises(KeyboardInterrupt):
        write_build(NAME, _Interrupted(files), repository)
    assert list(repository.iterdir()) == []


def test_a_sound_build_has_no_problems(files: Mapping[str, bytes]) -> None:
    assert find_problems(NAME, files) == ()


Damage = Callable[[dict[str, bytes]], object]


@pytest.mark.parametrize(
    ("damage", "problem"),
    [
        (lambda files: files.pop("1/model.onnx"), "1/model.onnx is missing"),
        (lambda files: files.pop("manifest.json"), "manifest.json is missing"),
        (lambda files: files.update({"1/other.bin": b"x"}), "1/other.bin is not in manifest.json"),
        (lambda files: files.update({"1/model.onnx": files["1/model.onnx"] + b" "}), "1/model.onnx has changed"),
        (lambda files: files.update({"card.json": b"{}"}), "ModelCard does not parse: model: Field required"),
        (lambda files: files.update({"manifest.json": b"{"}), "BuildManifest does not parse"),
        (lambda files: _edit(files, "card.json", '"stain"', '"rust"'), "does not repeat card.json"),
        (lambda files: _edit(files, "card.json", '"width": 192', '"width": 160'), "card.json describes input"),
        (
            lambda files: _edit(files, "card.json", '"1.2.0"', '"1.2.1"'),
            "card.json is of build 'defects-1.2.1_x86-cpu'",
        ),
        (lambda files: _edit(files, "config.pbtxt", f'name: "{NAME}"', 'name: "x"'), "config.pbtxt has the name x"),
        (
            lambda files: _edit(files, "config.pbtxt", "160, 192, 3", "160, 160, 3"),
            "input 'images' is TYPE_UINT8 [160,160,3]",
        ),
        (lambda files: _edit(files, "config.pbtxt", "TYPE_FP32", "TYPE_FP16"), "output 'candidates' is TYPE_FP16"),
        (lambda files: _edit(files, "config.pbtxt", "300, 6]", "300, {"), "config.pbtxt does not parse: line"),
        (lambda files: _edit(files, "config.pbtxt", 'backend: "openvino"', ""), "must name one backend"),
        (
            lambda files: _edit(files, "config.pbtxt", "input {", "instance_group { count: 2 } input {"),
            "instance_group",
        ),
    ],
)
def test_damage_is_named(files: Mapping[str, bytes], damage: Damage, problem: str) -> None:
    damaged = dict(files)
    damage(damaged)
    assert any(problem in found for found in find_problems(NAME, damaged))


def _edit(files: dict[str, bytes], file: str, old: str, new: str) -> None:
    assert old.encode() in files[file]
    files[file] = files[file].replace(old.encode(), new.encode(), 1)


def test_a_build_under_another_name_is_refused(files: Mapping[str, bytes], tmp_path: Path) -> None:
    write_build(NAME, files, tmp_path).rename(tmp_path / "defects-9.0.0_x86-cpu")
    with pytest.raises(InvalidBuild, match=r"the directory is 'defects-9\.0\.0_x86-cpu'"):
        verify_build(tmp_path / "defects-9.0.0_x86-cpu")


def test_no_directory_no_verdict(tmp_path: Path) -> None:
    with pytest.raises(InputFileMissing):
        verify_build(tmp_path / NAME)
