"""Where the embedded Triton is on this machine, and the folder of backends it is given."""

import importlib.util
import shutil
import sys
import sysconfig
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from gateway.start_errors import LibpythonMissing, TritonNotInstalled

OWN_BACKENDS = ("onnxruntime", "openvino")
_STUB = "triton_python_backend_stub"


@dataclass(frozen=True, slots=True)
class TritonInstallation:
    """The parts of the wheel, and what they need of this Python."""

    server: Path
    python_backend: Path
    stub: Path
    libraries: Path
    libpython_folder: Path
    own_backends: Path

    def environment(self, base: dict[str, str]) -> dict[str, str]:
        """Environment of the server process: its stubs find this Python through PATH, their libraries by the path."""
        environment = dict(base)
        environment["PATH"] = f"{Path(sys.executable).parent}:{base.get('PATH', '')}"
        parts = [str(self.libraries), str(self.libpython_folder), base.get("LD_LIBRARY_PATH", "")]
        environment["LD_LIBRARY_PATH"] = ":".join(part for part in parts if part)
        environment.pop("PYTHONHOME", None)
        environment.pop("PYTHONPATH", None)
        return environment

    def build_backends(self, folder: Path) -> None:
        """Make the backend folder anew: the wheel's Python backend with this Python's stub, and ours beside it.

        Raises:
            OSError: It cannot be written.
        """
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(self.python_backend, folder / "python")
        shutil.copy2(self.stub, folder / "python" / _STUB)
        for name in OWN_BACKENDS:
            (folder / name).mkdir()
            (folder / name / "model.py").symlink_to(self.own_backends / name / "model.py")
            (folder / name / "triton_backends").symlink_to(self.own_backends)


def find_installation() -> TritonInstallation:
    """Look for the parts.

    Raises:
        TritonNotInstalled: The wheel, its server, this Python's stub or our backends are missing.
        LibpythonMissing: This Python has no shared library.
    """
    wheel = _package_folder("pytriton")
    if wheel is None:
        raise TritonNotInstalled("the package nvidia-pytriton is not installed")
    root = wheel / "tritonserver"
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    own = _package_folder("triton_backends")
    if own is None:
        raise TritonNotInstalled("the package triton_backends of Outpost is not installed")
    parts = {
        "server": root / "bin" / "tritonserver",
        "python_backend": root / "backends" / "python",
        "stub": root / "python_backend_stubs" / version / _STUB,
        "libraries": wheel.parent / "nvidia_pytriton.libs",
    }
    for name, path in parts.items():
        if not path.exists():
            raise TritonNotInstalled(f"{name.replace('_', ' ')} is missing: {path} (Python {version})")
    return TritonInstallation(**parts, libpython_folder=find_libpython(), own_backends=own)


def find_libpython(folders: Sequence[str] | None = None) -> Path:
    """Folder of this Python's shared library.

    Args:
        folders: Where to look, instead of the usual folders.

    Raises:
        LibpythonMissing: It is in none of them.
    """
    library = f"libpython{sys.version_info.major}.{sys.version_info.minor}.so.1.0"
    searched = tuple(_usual_folders() if folders is None else folders)
    for folder in searched:
        if (Path(folder) / library).exists():
            return Path(folder)
    raise LibpythonMissing(library, searched)


def _usual_folders() -> tuple[str, ...]:
    multiarch = sysconfig.get_config_var("MULTIARCH") or ""
    folders = (
        sysconfig.get_config_var("LIBDIR"),
        f"{sys.base_prefix}/lib",
        f"/usr/lib/{multiarch}",
        "/usr/lib",
        "/usr/lib64",
        "/usr/local/lib",
    )
    return tuple(dict.fromkeys(str(folder) for folder in folders if folder))


def _package_folder(name: str) -> Path | None:
    spec = importlib.util.find_spec(name)
    if spec is None or not spec.submodule_search_locations:
        return None
    return Path(next(iter(spec.submodule_search_locations))).resolve()
