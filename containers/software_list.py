"""Prints what an image is made of, as CycloneDX 1.5: the system's packages, Python and those of its folders, Triton."""

import importlib.metadata
import json
import platform
import re
import sys
from pathlib import Path
from typing import Any

DPKG_STATUS = Path("var/lib/dpkg/status")
TRITON_VERSION = Path("opt/tritonserver/TRITON_VERSION")
SYSTEM_FOLDERS = ("usr/lib/python3/dist-packages", "usr/local/lib/python3*/dist-packages")


def system_packages(status: str, distribution: str) -> list[dict[str, Any]]:
    """Components for the installed packages of dpkg's status file.

    Args:
        status: Its text.
        distribution: ``debian`` or ``ubuntu``.
    """
    found = []
    for paragraph in status.split("\n\n"):
        fields = dict(line.split(": ", 1) for line in paragraph.splitlines() if ": " in line and line[0] != " ")
        if fields.get("Status", "").endswith(" installed"):
            name, version, architecture = fields["Package"], fields["Version"], fields.get("Architecture", "all")
            quoted = version.replace("+", "%2B").replace(":", "%3A")
            found.append(_component(name, version, f"pkg:deb/{distribution}/{name}@{quoted}?arch={architecture}"))
    return found


def python_packages(folder: Path) -> list[dict[str, Any]]:
    """Components for the distributions in a ``site-packages``."""
    found = []
    for distribution in importlib.metadata.distributions(path=[str(folder)]):
        name = re.sub(r"[-_.]+", "-", distribution.metadata["Name"]).lower()
        found.append(_component(name, distribution.version, f"pkg:pypi/{name}@{distribution.version}"))
    return found


def software_list(components: list[dict[str, Any]]) -> dict[str, Any]:
    """The document; the same components give the same text."""
    unique = {component["purl"]: component for component in components}
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "components": [unique[purl] for purl in sorted(unique)],
    }


def _component(name: str, version: str, purl: str) -> dict[str, Any]:
    return {"type": "library", "name": name, "version": version, "purl": purl, "bom-ref": purl}


def _program(name: str, version: str) -> dict[str, Any]:
    return _component(name, version, f"pkg:generic/{name}@{version}")


def main(root: Path, folders: list[Path]) -> None:
    """Print the list for a file system and the given folders of Python packages."""
    release = (root / "etc/os-release").read_text()
    distribution = "ubuntu" if "\nID=ubuntu" in f"\n{release}" else "debian"
    components = system_packages((root / DPKG_STATUS).read_text(), distribution)
    components.append(_program("python", platform.python_version()))
    if (root / TRITON_VERSION).exists():
        components.append(_program("tritonserver", (root / TRITON_VERSION).read_text().strip()))
    for folder in (*folders, *(found for pattern in SYSTEM_FOLDERS for found in root.glob(pattern))):
        components += python_packages(folder)
    print(json.dumps(software_list(components), indent=1))


if __name__ == "__main__":
    main(Path("/"), [Path(argument) for argument in sys.argv[1:]])
