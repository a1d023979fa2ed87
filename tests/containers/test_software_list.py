import json
from pathlib import Path

import pytest

from containers.software_list import main, python_packages, software_list, system_packages

STATUS = """Package: libc6
Status: install ok installed
Architecture: amd64
Version: 2.36-9+deb12u13
Description: GNU C Library
 Version: of a continued line

Package: gone
Status: deinstall ok config-files
Version: 1.0

Package: tzdata
Status: install ok installed
Version: 1:2025b-0"""


def distribution(folder: Path, name: str, version: str) -> None:
    information = folder / f"{name}-{version}.dist-info"
    information.mkdir(parents=True)
    (information / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")


def test_installed_packages_are_listed_with_quoted_versions() -> None:
    assert [package["purl"] for package in system_packages(STATUS, "debian")] == [
        "pkg:deb/debian/libc6@2.36-9%2Bdeb12u13?arch=amd64",
        "pkg:deb/debian/tzdata@1%3A2025b-0?arch=all",
    ]


def test_python_packages_have_normal_names(tmp_path: Path) -> None:
    distribution(tmp_path, "Opencv_Python.Headless", "4.14")
    assert [package["purl"] for package in python_packages(tmp_path)] == ["pkg:pypi/opencv-python-headless@4.14"]


def test_the_same_components_give_the_same_text() -> None:
    one, two = system_packages(STATUS, "debian")
    assert software_list([one, two]) == software_list([two, one, two])


def test_a_whole_file_system(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name, text in {"etc/os-release": "NAME=x\nID=ubuntu\n", "var/lib/dpkg/status": STATUS}.items():
        (tmp_path / name).parent.mkdir(parents=True)
        (tmp_path / name).write_text(text)
    distribution(tmp_path / "packages", "numpy", "1.26.4")
    distribution(tmp_path / "usr/lib/python3/dist-packages", "tensorrt", "11.2.0")
    (tmp_path / "opt/tritonserver").mkdir(parents=True)
    (tmp_path / "opt/tritonserver/TRITON_VERSION").write_text("2.71.0\n")
    main(tmp_path, [tmp_path / "packages"])
    printed = json.loads(capsys.readouterr().out)
    assert (printed["bomFormat"], printed["specVersion"]) == ("CycloneDX", "1.5")
    names = [component["name"] for component in printed["components"]]
    assert names == ["libc6", "tzdata", "python", "tritonserver", "numpy", "tensorrt"]
    assert printed["components"][0]["purl"].startswith("pkg:deb/ubuntu/")
