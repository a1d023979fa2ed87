from pathlib import Path

import pytest

from contracts.model_card import InputSpec, ModelCard
from contracts.quantization import Variant
from model_compiler.errors import InputFileMissing, NoBuilds
from model_compiler.source_builds import files_beside, source_directories


def put(folder: Path, model: str, version: str, hardware_class: str, variant: Variant = "f32") -> None:
    card = ModelCard(
        model=model,
        version=version,
        hardware_class=hardware_class,
        labels=("a",),
        input=InputSpec(width=8, height=8),
        variant=variant,
    )
    (folder / card.build).mkdir()
    (folder / card.build / "card.json").write_text(card.model_dump_json())


def chosen(folder: Path, hardware_class: str) -> list[str]:
    return [directory.name for directory in source_directories(folder, hardware_class)]


def test_a_build_is_its_own_source(tmp_path: Path) -> None:
    put(tmp_path, "a", "1.0.0", "x86-cpu")
    assert chosen(tmp_path / "a-1.0.0_x86-cpu", "arm-cpu") == ["a-1.0.0_x86-cpu"]
    assert files_beside(tmp_path / "a-1.0.0_x86-cpu") == ()


def test_versions_are_numbers(tmp_path: Path) -> None:
    for version in ("1.9.0", "1.10.0", "1.2.0"):
        put(tmp_path, "a", version, "x86-cpu")
    put(tmp_path, "b", "0.1.0", "arm-cpu")
    assert chosen(tmp_path, "arm-cpu") == ["a-1.10.0_x86-cpu", "b-0.1.0_arm-cpu"]


def test_of_one_version_the_class_itself_comes_first_and_then_floats(tmp_path: Path) -> None:
    put(tmp_path, "a", "1.0.0", "arm-cpu", "int8")
    put(tmp_path, "a", "1.0.0", "jetson-orin-nx", "f16")
    put(tmp_path, "a", "1.0.0", "medical-cart-cpu", "bf16")
    put(tmp_path, "a", "1.0.0", "x86-cpu", "int8")
    assert chosen(tmp_path, "jetson-orin-nx") == ["a-1.0.0_jetson-orin-nx"]
    assert chosen(tmp_path, "x86-nvidia-gpu") == ["a-1.0.0_medical-cart-cpu"]


def test_a_damaged_newest_build_is_not_passed_over(tmp_path: Path) -> None:
    put(tmp_path, "a", "1.0.0", "x86-cpu")
    (tmp_path / "a-1.1.0_x86-cpu").mkdir()
    assert chosen(tmp_path, "arm-cpu") == ["a-1.1.0_x86-cpu"]


def test_what_lies_beside_is_files_that_are_not_hidden(tmp_path: Path) -> None:
    put(tmp_path, "a", "1.0.0", "x86-cpu")
    (tmp_path / "notes").mkdir()
    for name in ("cascades.json", ".unfinished"):
        (tmp_path / name).write_text("{}")
    assert files_beside(tmp_path) == (tmp_path / "cascades.json",)


def test_nothing_to_begin_with(tmp_path: Path) -> None:
    (tmp_path / "model.onnx").write_bytes(b"\x08\x08")
    (tmp_path / "notes").mkdir()
    for path in (tmp_path, tmp_path / "model.onnx"):
        with pytest.raises(NoBuilds, match="outpost-compile add"):
            source_directories(path, "arm-cpu")
    with pytest.raises(InputFileMissing):
        source_directories(tmp_path / "nowhere", "arm-cpu")
