"""Where the embedded Triton is on this machine, and the folder of backends it is given."""

import importlib.util
import os
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from gateway.start_errors import LibpythonMissing, TritonNotInstalled, TritonUnusable

OWN_BACKENDS = ("onnxruntime", "openvino")
NATIVE_BACKENDS = ("tensorrt",)
"""Taken from an installed Triton where it has them."""
_STUB = "triton_python_backend_stub"
_SHARED_MEMORY_FLAG = "--allow-client-shm"
_FLAG_OF_EVERY_RELEASE = "--model-repository"
_HELP_SECONDS = 30.0
_SAID_CHARACTERS = 500


@dataclass(frozen=True, slots=True)
class TritonInstallation:
    """The parts of a Triton, and what they need of this Python.

    Attributes:
        server: The program.
        python_backend: Folder of its Python backend.
        stub: What runs a model of that backend, for the version of this Python.
        libraries: Folder of its shared libraries.
        libpython_folder: Of this Python's.
        own_backends: The package ``triton_backends``.
        native_backends: Folders of backends that are used as they are.
    """

    server: Path
    python_backend: Path
    stub: Path
    libraries: Path
    libpython_folder: Path
    own_backends: Path
    native_backends: tuple[Path, ...] = ()

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
        for native in self.native_backends:
            (folder / native.name).symlink_to(native)

    def shared_memory_flags(self) -> tuple[str, ...]:
        """What lets clients register shared memory.

        From release 26.04 on it has to be allowed; servers before that end at a flag that they do not know.

        Raises:
            TritonUnusable: The server does not show its flags.
        """
        usage = self._usage()
        if _FLAG_OF_EVERY_RELEASE not in usage:
            raise TritonUnusable(self.server, " ".join(usage.split())[-_SAID_CHARACTERS:] or "it printed nothing")
        return (f"{_SHARED_MEMORY_FLAG}=true",) if _SHARED_MEMORY_FLAG in usage else ()

    def _usage(self) -> str:
        command = [str(self.server), "--help"]
        environment = self.environment(dict(os.environ))
        try:
            shown = subprocess.run(command, env=environment, capture_output=True, timeout=_HELP_SECONDS, check=False)
        except (OSError, subprocess.TimeoutExpired) as error:
            raise TritonUnusable(self.server, str(error)) from error
        return (shown.stdout + shown.stderr).decode(errors="replace")


def find_installation(root: Path | None = None) -> TritonInstallation:
    """Look for the parts.

    Args:
        root: Of an installed Triton, ``/opt/tritonserver`` in NVIDIA's image; None looks for the one in the PyPI wheel.

    Raises:
        TritonNotInstalled: The server, this Python's stub or our backends are missing.
        LibpythonMissing: This Python has no shared library.
    """
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    own = _package_folder("triton_backends")
    if own is None:
        raise TritonNotInstalled("the package triton_backends of Outpost is not installed", root)
    parts = _parts_of_wheel(version) if root is None else _parts_of_root(root)
    for name, path in parts.items():
        if not path.exists():
            raise TritonNotInstalled(f"{name.replace('_', ' ')} is missing: {path} (Python {version})", root)
    natives = () if root is None else tuple(root / "backends" / name for name in NATIVE_BACKENDS)
    return TritonInstallation(
        **parts,
        libpython_folder=find_libpython(),
        own_backends=own,
        native_backends=tuple(native for native in natives if native.is_dir()),
    )


def _parts_of_wheel(version: str) -> dict[str, Path]:
    wheel = _package_folder("pytriton")
    if wheel is None:
        raise TritonNotInstalled("the package nvidia-pytriton is not installed")
    root = wheel / "tritonserver"
    return {
        "server": root / "bin" / "tritonserver",
        "python_backend": root / "backends" / "python",
        "stub": root / "python_backend_stubs" / version / _STUB,
        "libraries": wheel.parent / "nvidia_pytriton.libs",
    }


def _parts_of_root(root: Path) -> dict[str, Path]:
    python_backend = root / "backends" / "python"
    return {
        "server": root / "bin" / "tritonserver",
        "python_backend": python_backend,
        "stub": python_backend / _STUB,
        "libraries": root / "lib",
    }


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
