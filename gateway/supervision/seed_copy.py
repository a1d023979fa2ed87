"""Copies a shipped build, and tells errors of what is read from errors of where it is written."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from gateway.start_errors import SeedUnusable

_CHUNK_BYTES = 2**20


@contextlib.contextmanager
def readable(path: Path) -> Iterator[None]:
    """Errors inside the block are of this file or folder.

    Raises:
        SeedUnusable: There was one.
    """
    try:
        yield
    except OSError as error:
        raise SeedUnusable(path, f"{error.strerror or error} (read by user {os.geteuid()})") from error


def copy_seed(source: Path, target: Path) -> None:
    """Copy a folder with all that is in it, also behind links; it is on the disk when this returns.

    Owners, modes and times stay behind: a folder that may only be read would keep its copy from being moved.

    Args:
        source: A build.
        target: Made; it must not be there.

    Raises:
        SeedUnusable: Something of the source cannot be read.
        OSError: The copy cannot be written.
    """
    with readable(source):
        entries = sorted(source.iterdir())
    target.mkdir()
    for entry in entries:
        with readable(entry):
            is_folder = entry.is_dir()
        if is_folder:
            copy_seed(entry, target / entry.name)
        else:
            _copy_file(entry, target / entry.name)


def _copy_file(source: Path, target: Path) -> None:
    with readable(source):
        content = source.open("rb")
    with content, target.open("wb") as copy:
        while chunk := _read(source, content):
            copy.write(chunk)
        copy.flush()
        os.fsync(copy.fileno())


def _read(source: Path, content: BinaryIO) -> bytes:
    with readable(source):
        return content.read(_CHUNK_BYTES)
