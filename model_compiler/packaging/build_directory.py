"""Writes a build directory so that it is there whole or not at all, and reads one."""

import os
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path

from model_compiler.errors import BuildExists, InputFileMissing, InvalidBuild
from model_compiler.packaging.build_check import find_problems


def write_build(name: str, files: Mapping[str, bytes], repository: Path) -> Path:
    """Write a new build: into a hidden folder beside it, to the disk, then renamed.

    Args:
        name: The build's name, which becomes its directory's.
        files: Content by relative path.
        repository: Folder of builds; made if need be.

    Returns:
        The build's directory.

    Raises:
        BuildExists: A build of this name is there.
        OSError: The disk is full or not writable; nothing is left behind.
    """
    target = repository / name
    if target.exists():
        raise BuildExists(target)
    repository.mkdir(parents=True, exist_ok=True)
    unfinished = Path(tempfile.mkdtemp(prefix=f".{name}.", dir=repository))
    try:
        _fill(unfinished, files)
        _rename(unfinished, target)
    except BaseException:
        shutil.rmtree(unfinished, ignore_errors=True)
        raise
    _sync_folder(repository)
    return target


def _fill(folder: Path, files: Mapping[str, bytes]) -> None:
    # mkdtemp hides its folder from other users, but Triton may run as one
    folder.chmod(0o755)
    for path, data in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        _write_through(folder / path, data)
    for inner in {folder, *((folder / path).parent for path in files)}:
        _sync_folder(inner)


def _write_through(path: Path, data: bytes) -> None:
    with path.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def write_file(path: Path, data: bytes) -> None:
    """Write a single file so that it is there whole or as it was before.

    Raises:
        OSError: The disk is full or not writable; nothing is left behind.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        _write_through(unfinished, data)
        unfinished.replace(path)
    except BaseException:
        unfinished.unlink(missing_ok=True)
        raise
    _sync_folder(path.parent)


def _rename(unfinished: Path, target: Path) -> None:
    try:
        unfinished.rename(target)
    except OSError as error:
        if target.exists():
            raise BuildExists(target) from error
        raise


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def verify_build(directory: Path) -> None:
    """Check a build directory against its own manifest, card and configuration; raises as `read_build`."""
    read_build(directory)


def read_build(directory: Path) -> dict[str, bytes]:
    """The files of a build directory by relative path, checked against its own manifest, card and configuration.

    Raises:
        InputFileMissing: There is no such directory.
        InvalidBuild: Something is missing, changed, superfluous or contradictory.
    """
    if not directory.is_dir():
        raise InputFileMissing(directory, "build directory")
    paths = (path for path in sorted(directory.rglob("*")) if not path.is_dir())
    files = {path.relative_to(directory).as_posix(): path.read_bytes() for path in paths}
    problems = find_problems(directory.resolve().name, files)
    if problems:
        raise InvalidBuild(directory, problems)
    return files
