"""Folders of hardware classes, good and bad, and the command that shows them."""

import argparse
import dataclasses
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from contracts.machine_class import detect_class
from model_compiler.commands import classes
from model_compiler.errors import InputFileMissing, InvalidHardwareClass, UnknownHardwareClass
from model_compiler.hardware_catalogue import (
    HARDWARE_CLASSES,
    find_hardware_class,
    read_hardware_class,
    read_hardware_classes,
)
from model_compiler.machine_profile import MachineProfile, read_machine_profile
from model_compiler.planning.quantities import in_bytes


def changed(folder: Path, name: str, *pairs: tuple[str, str]) -> Path:
    text = (HARDWARE_CLASSES / f"{name}.yaml").read_text()
    for old, new in pairs:
        assert old in text
        text = text.replace(old, new, 1)
    path = folder / f"{name}.yaml"
    path.write_text(text)
    return path


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("tier: gateway\n", "", "tier: is missing"),
        ("tier: gateway", "teir: gateway", "teir: there is no such key; did you mean 'tier'?"),
        ("models_ceiling_bytes", "model_ceiling_bytes", "memory.model_ceiling_bytes: there is no such key; did you"),
        ("runtime: openvino", "runtime: openvin", "runtime: must be 'onnxruntime', 'openvino' or 'tensorrt', got"),
        ("watts: 28", "watts: lots", "power_modes.0.watts: "),
        ("name: x86-cpu", "name: x86-gpu", "name: 'x86-gpu' must be the file's name, 'x86-cpu'"),
        ("tier: gateway", "tier: [", "not valid YAML"),
        ("variant: int8", "variant: int7", "did you mean 'int8'?"),
    ],
)
def test_a_wrong_file_is_named_with_field_and_nearest_key(tmp_path: Path, old: str, new: str, problem: str) -> None:
    path = changed(tmp_path, "x86-cpu", (old, new))
    with pytest.raises(InvalidHardwareClass) as caught:
        read_hardware_class(path)
    assert str(path) in str(caught.value)
    assert problem in str(caught.value)


def test_every_problem_is_listed(tmp_path: Path) -> None:
    path = changed(tmp_path, "x86-cpu", ("tier: gateway\n", ""), ("storage_bytes:", "storage_byte:"))
    with pytest.raises(InvalidHardwareClass) as caught:
        read_hardware_class(path)
    assert len(caught.value.problems) == 3


def test_a_list_is_no_class(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_text("- 1\n")
    with pytest.raises(InvalidHardwareClass, match="it must be a mapping"):
        read_hardware_class(path)


@pytest.mark.parametrize(
    ("accepts", "problem"),
    [
        ("[medical-cart-cpu]", "is the class itself"),
        ("[x86-cpus]", "there is no class 'x86-cpus'"),
        ("[arm-cpu]", "'arm-cpu' has another architecture, aarch64"),
        ("[x86-nvidia-gpu]", "'x86-nvidia-gpu' runs tensorrt, which is not among the backends"),
    ],
)
def test_a_class_accepts_only_builds_that_can_run_there(tmp_path: Path, accepts: str, problem: str) -> None:
    for name in ("x86-cpu", "arm-cpu", "x86-nvidia-gpu"):
        shutil.copy(HARDWARE_CLASSES / f"{name}.yaml", tmp_path)
    changed(tmp_path, "medical-cart-cpu", ("accepts_builds_of: [x86-cpu]", f"accepts_builds_of: {accepts}"))
    with pytest.raises(InvalidHardwareClass) as caught:
        read_hardware_classes(tmp_path)
    assert problem in str(caught.value)


def test_a_class_that_is_not_there_is_named_with_the_nearest() -> None:
    with pytest.raises(UnknownHardwareClass, match="did you mean 'jetson-orin-nx'"):
        find_hardware_class("jetson-orin-nxx")


@pytest.mark.parametrize("folder", ["empty", "missing"])
def test_a_folder_without_classes_is_refused(tmp_path: Path, folder: str) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputFileMissing, match="hardware class"):
        read_hardware_classes(tmp_path / folder)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputFileMissing):
        read_hardware_class(tmp_path / "a.yaml")


Call = Callable[..., str]


@pytest.fixture
def call(capsys: pytest.CaptureFixture[str]) -> Call:
    def run(*arguments: str) -> str:
        parser = argparse.ArgumentParser()
        classes.describe(parser)
        options = parser.parse_args(arguments)
        options.run(options)
        return capsys.readouterr().out

    return run


def test_the_command_lists_the_classes_and_names_this_machine(call: Call) -> None:
    text = call()
    assert "This machine: " in text
    assert all(name in text for name in read_hardware_classes())
    found = json.loads(call("--json"))
    assert {entry["name"] for entry in found["classes"]} == set(read_hardware_classes())
    assert found["this_machine"]["name"] in text


def test_the_command_tells_what_this_machine_has(call: Call) -> None:
    lines = {line.split()[0]: line.split(maxsplit=1)[1] for line in call().splitlines() if line.startswith("  ")}
    assert list(lines)[-4:] == ["memory", "storage", "power", "heat"]
    profile = json.loads(call("--json"))["this_machine"]["profile"]
    assert set(profile) == {field.name for field in dataclasses.fields(MachineProfile)}
    assert lines["storage"] == in_bytes(profile["storage_bytes"])


@pytest.mark.parametrize(("zone", "heat"), [("51300\n", "51.3 C where it is hottest"), ("broken\n", "unknown")])
def test_the_command_tells_the_temperature_where_it_can_be_read(tmp_path: Path, zone: str, heat: str) -> None:
    folder = tmp_path / "sys/class/thermal/thermal_zone0"
    folder.mkdir(parents=True)
    (folder / "temp").write_text(zone)
    profile = read_machine_profile(tmp_path, "x86_64")
    assert f"  heat     {heat}" in classes.machine_lines(detect_class(profile.facts), profile)


def test_the_command_tells_what_a_declared_class_accepts(call: Call) -> None:
    machine = json.loads(call("--json", "--declared", "medical-cart-cpu"))["this_machine"]
    assert machine["name"] == "medical-cart-cpu"
    assert "declared" in machine["reason"]
    with pytest.raises(UnknownHardwareClass):
        call("--declared", "medical-card-cpu")


@pytest.mark.parametrize("name", ["jetson-orin-nx", "medical-cart-cpu"])
def test_the_command_shows_one_class(call: Call, name: str) -> None:
    text = call(name)
    assert text.startswith(f"{name} (gateway)\n")
    assert "power modes" in text
    assert max(len(line) for line in text.splitlines()) <= 110
    assert json.loads(call(name, "--json"))["name"] == name
