"""The files of a build, compared with its manifest."""

import hashlib
from collections.abc import Iterator
from pathlib import Path

from pydantic import ValidationError

from contracts.build_manifest import MANIFEST_FILE, BuildManifest


class CorruptBuild(ValueError):
    """A build's files are not what its manifest says."""

    def __init__(self, file: str, fact: str) -> None:
        self.file = file
        printable = file.encode(errors="backslashreplace").decode()
        super().__init__(f"{printable} {fact}; install the build again")


def intact_files(folder: Path) -> dict[str, str]:
    """The SHA-256 of every file of a build but its manifest, by path in its folder: as the manifest says and they are.

    One without a manifest is taken as it is. Linked folders are looked into, as Triton does.

    Raises:
        OSError: A file cannot be read.
        CorruptBuild: The manifest is malformed or of another build, or a file is missing, differs or is not in it.
    """
    files = {str(file.relative_to(folder)): _digest(file) for file in _files_in(folder, frozenset())}
    if files.pop(MANIFEST_FILE, None) is None:
        return files
    try:
        manifest = BuildManifest.model_validate_json((folder / MANIFEST_FILE).read_bytes())
    except ValidationError as error:
        raise CorruptBuild(MANIFEST_FILE, f"is malformed: {error.errors()[0]['msg']}") from error
    if manifest.build != folder.name:
        raise CorruptBuild(MANIFEST_FILE, f"is of another build, {manifest.build}")
    for name, expected in manifest.files.items():
        if name not in files:
            raise CorruptBuild(name, "is missing")
        if files[name] != expected:
            raise CorruptBuild(name, "differs from the manifest")
    for name in files.keys() - manifest.files.keys():
        raise CorruptBuild(name, "is not in the manifest")
    return files


def _files_in(folder: Path, above: frozenset[Path]) -> Iterator[Path]:
    inside = above | {folder.resolve()}
    for entry in folder.iterdir():
        if entry.is_file():
            yield entry
        elif entry.is_dir() and entry.resolve() not in inside:  # a link to a folder that it is in would have no end
            yield from _files_in(entry, inside)


def _digest(file: Path) -> str:
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()
