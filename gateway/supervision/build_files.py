"""The files of a build, compared with its manifest."""

import hashlib
from pathlib import Path

from pydantic import ValidationError

from contracts.build_manifest import MANIFEST_FILE, BuildManifest


class CorruptBuild(ValueError):
    """A build's files are not what its manifest says."""

    def __init__(self, file: str, fact: str) -> None:
        self.file = file
        super().__init__(f"{file} {fact}; install the build again")


def intact_files(folder: Path) -> dict[str, str]:
    """The SHA-256 of each file of a build, by path in its folder: as its manifest says and they are.

    One without a manifest is taken as it is.

    Raises:
        OSError: A file cannot be read.
        CorruptBuild: The manifest is malformed or of another build, or a file is missing or differs.
    """
    path = folder / MANIFEST_FILE
    if not path.exists():
        return {str(file.relative_to(folder)): _digest(file) for file in folder.rglob("*") if file.is_file()}
    try:
        manifest = BuildManifest.model_validate_json(path.read_bytes())
    except ValidationError as error:
        raise CorruptBuild(MANIFEST_FILE, f"is malformed: {error.errors()[0]['msg']}") from error
    if manifest.build != folder.name:
        raise CorruptBuild(MANIFEST_FILE, f"is of another build, {manifest.build}")
    for name, expected in manifest.files.items():
        file = folder / name
        if not file.is_file():
            raise CorruptBuild(name, "is missing")
        if _digest(file) != expected:
            raise CorruptBuild(name, "differs from the manifest")
    return dict(manifest.files)


def _digest(file: Path) -> str:
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()
