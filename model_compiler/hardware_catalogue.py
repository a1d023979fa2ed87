"""Reads the hardware classes, one YAML file each."""

from collections.abc import Mapping
from pathlib import Path

from pydantic import ValidationError

from contracts.hardware_class import HardwareClass
from model_compiler.errors import InputFileMissing, InvalidHardwareClass, UnknownHardwareClass
from model_compiler.validation_problems import problems_of
from model_compiler.yaml_mapping import read_yaml_mapping

HARDWARE_CLASSES = Path(__file__).resolve().parents[1] / "hardware_classes"
"""The classes that come with Outpost."""


def read_hardware_class(path: Path) -> HardwareClass:
    """Read one class; its file is called after it.

    Raises:
        InputFileMissing: There is no such file.
        InvalidHardwareClass: It is not YAML, or a key or value is wrong.
    """
    content = read_yaml_mapping(path, "hardware class", InvalidHardwareClass)
    try:
        found = HardwareClass.model_validate(content)
    except ValidationError as error:
        raise InvalidHardwareClass(path, problems_of(error, HardwareClass)) from error
    if found.name != path.stem:
        raise InvalidHardwareClass(path, [f"name: {found.name!r} must be the file's name, {path.stem!r}"])
    return found


def read_hardware_classes(folder: Path = HARDWARE_CLASSES) -> dict[str, HardwareClass]:
    """Read a folder of classes, by name.

    Raises:
        InputFileMissing: There is no such folder, or no class in it.
        InvalidHardwareClass: A file is wrong, or names a class that is not there or cannot run there.
    """
    paths = sorted(folder.glob("*.yaml"))
    if not paths:
        raise InputFileMissing(folder / "*.yaml", "hardware class")
    classes = {path.stem: read_hardware_class(path) for path in paths}
    for path in paths:
        problems = _wrong_references(classes[path.stem], classes)
        if problems:
            raise InvalidHardwareClass(path, problems)
    return classes


def find_hardware_class(name: str, folder: Path = HARDWARE_CLASSES) -> HardwareClass:
    """One class by its name.

    Raises:
        UnknownHardwareClass: There is none of this name.
        InputFileMissing: There is no such folder, or no class in it.
        InvalidHardwareClass: A file is wrong.
    """
    classes = read_hardware_classes(folder)
    if name not in classes:
        raise UnknownHardwareClass(name, sorted(classes))
    return classes[name]


def _wrong_references(target: HardwareClass, classes: Mapping[str, HardwareClass]) -> list[str]:
    problems = []
    for name in target.accepts_builds_of:
        other = classes.get(name)
        if name == target.name:
            problems.append(f"accepts_builds_of: {name!r} is the class itself")
        elif other is None:
            problems.append(f"accepts_builds_of: there is no class {name!r}")
        elif other.cpu_architecture != target.cpu_architecture:
            problems.append(f"accepts_builds_of: {name!r} has another architecture, {other.cpu_architecture}")
        elif other.runtime not in target.backends:
            problems.append(f"accepts_builds_of: {name!r} runs {other.runtime}, which is not among the backends")
    return problems
