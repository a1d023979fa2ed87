"""Rules of the house that no linter checks."""

from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[1]
PRODUCT = ("contracts", "vision", "gateway", "device_agent", "model_compiler", "model_training", "triton_backends")
PACKAGES = (*PRODUCT, "benchmarks", "tests")
MODULES = sorted(path for package in PACKAGES for path in (REPOSITORY / package).rglob("*.py"))
LONGEST_MODULE_LINES = 400


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(REPOSITORY)))
def test_modules_stay_short(path: Path) -> None:
    lines = len(path.read_text().splitlines())
    assert lines <= LONGEST_MODULE_LINES


@pytest.mark.parametrize("package", PRODUCT)
def test_packages_are_typed(package: str) -> None:
    assert (REPOSITORY / package / "py.typed").exists()


def test_no_module_is_named_for_nothing() -> None:
    empty = {"utils", "util", "common", "helpers", "helper", "manager", "core", "misc"}
    assert [path for path in MODULES if path.stem in empty] == []


def test_lock_files_name_no_addresses() -> None:
    for path in (REPOSITORY / "requirements").glob("*.txt"):
        assert "://" not in path.read_text(), path
