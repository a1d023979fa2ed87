"""Finished stages on disk: a compilation that was interrupted, or is run again, does not repeat them."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from model_compiler.artifact import Artifact, ArtifactFacts
from model_compiler.library_versions import code_sha256, library_versions
from model_compiler.packaging.build_directory import write_file

FORMAT = 1
Document = TypeVar("Document", bound=BaseModel)


class _Entry(BaseModel):
    """What ``<key>.json`` holds; the bytes lie under ``blobs/`` by their hash."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    model: str
    reference: str
    ranges: str
    facts: ArtifactFacts
    build: dict[str, str]


class StageCache:
    """Artifacts by what they were made from. Everything is written whole or not at all; a damaged entry is a miss.

    Args:
        folder: Made when the first entry is written.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @staticmethod
    def key(stage: str, artifact: Artifact | None, depends_on: Mapping[str, Any]) -> str:
        """Name of the result of a stage.

        Args:
            stage: Its name.
            artifact: What it starts from, None for the first.
            depends_on: Everything else that changes the result, as JSON values.
        """
        facts = {
            "format": FORMAT,
            "libraries": library_versions(),
            "code": code_sha256(),
            "stage": stage,
            "artifact": None if artifact is None else artifact.identity,
            "depends_on": depends_on,
        }
        return hashlib.sha256(json.dumps(facts, sort_keys=True, default=str).encode()).hexdigest()

    def get(self, key: str) -> Artifact | None:
        """The artifact of a finished stage, or None."""
        try:
            entry = _Entry.model_validate_json((self._folder / f"{key}.json").read_bytes())
            build = {path: self._blob(digest) for path, digest in entry.build.items()}
            return Artifact(
                model=self._blob(entry.model),
                reference=self._blob(entry.reference),
                facts=entry.facts,
                ranges=self._blob(entry.ranges),
                build=MappingProxyType(build),
            )
        except (OSError, ValidationError, _Damaged):
            return None

    def put(self, key: str, artifact: Artifact) -> None:
        """Keep the artifact of a finished stage.

        Raises:
            OSError: The disk is full or not writable; nothing half-written is left.
        """
        entry = _Entry(
            model=self._keep(artifact.model),
            reference=self._keep(artifact.reference),
            ranges=self._keep(artifact.ranges),
            facts=artifact.facts,
            build={path: self._keep(data) for path, data in artifact.build.items()},
        )
        write_file(self._folder / f"{key}.json", entry.model_dump_json(indent=1).encode())

    def get_document(self, key: str, kind: type[Document]) -> Document | None:
        """A finished stage's result that is not an artifact, or None."""
        try:
            return kind.model_validate_json((self._folder / f"{key}.json").read_bytes())
        except (OSError, ValidationError):
            return None

    def put_document(self, key: str, document: BaseModel) -> None:
        """Keep a finished stage's result that is not an artifact.

        Raises:
            OSError: The disk is full or not writable; nothing half-written is left.
        """
        write_file(self._folder / f"{key}.json", document.model_dump_json(indent=1).encode())

    def scratch(self, key: str) -> Path:
        """Folder for what a long stage keeps while it runs, so that it goes on where it was interrupted."""
        folder = self._folder / "unfinished" / key[:16]
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def _keep(self, data: bytes) -> str:
        digest = hashlib.sha256(data).hexdigest()
        path = self._folder / "blobs" / digest
        if not path.exists() or path.read_bytes() != data:
            write_file(path, data)
        return digest

    def _blob(self, digest: str) -> bytes:
        data = (self._folder / "blobs" / digest).read_bytes()
        if hashlib.sha256(data).hexdigest() != digest:
            raise _Damaged
        return data


class _Damaged(Exception):
    """A file's content is not what its name says."""
