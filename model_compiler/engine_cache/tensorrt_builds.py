"""The TensorRT builds of a repository that this machine may run."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from pydantic import ValidationError

from contracts.build_manifest import CONFIG_FILE, MANIFEST_FILE, BuildManifest
from contracts.build_name import BuildName, InvalidBuildName
from model_compiler.engine_cache.errors import DamagedModel
from model_compiler.errors import CompileError
from model_compiler.packaging.pbtxt import ParsedMessage, read_text
from model_compiler.packaging.triton_config import MODEL_FILE

FileStamp = tuple[tuple[int, int, int], ...]
_VERSION_FOLDER = "1"


@dataclass(frozen=True, slots=True)
class TensorRtBuild:
    """A build whose plan is made on this machine.

    Attributes:
        folder: Named like the build.
        max_batch_size: As ``config.pbtxt`` tells Triton; 1 where requests are not batched.
    """

    folder: Path
    max_batch_size: int

    @classmethod
    def found(cls, folder: Path) -> Self | None:
        """The build in a folder; None where it is none, not for TensorRT, or its configuration cannot be read."""
        try:
            config = read_text((folder / CONFIG_FILE).read_text())
        except (OSError, UnicodeDecodeError, CompileError):
            return None  # the gateway, which loads builds of every kind, says what is wrong with it
        if _word(config, "backend") != "tensorrt" and _word(config, "platform") != "tensorrt_plan":
            return None
        size = _word(config, "max_batch_size")
        return cls(folder, max(1, int(size)) if size.isdigit() else 1)

    @property
    def name(self) -> str:
        """Of the build."""
        return self.folder.name

    @property
    def model_file(self) -> Path:
        """What the plan is made from."""
        return self.folder / _VERSION_FOLDER / MODEL_FILE

    def read_model(self) -> bytes:
        """The ONNX file, as it was released.

        Raises:
            OSError: It cannot be read.
            DamagedModel: It is not the one in the manifest, or that is malformed.
        """
        model = self.model_file.read_bytes()
        manifest = self.folder / MANIFEST_FILE
        if manifest.exists():
            try:
                files = BuildManifest.model_validate_json(manifest.read_bytes()).files
            except ValidationError as error:
                raise DamagedModel(self.model_file) from error
            if files.get(f"{_VERSION_FOLDER}/{MODEL_FILE}") != hashlib.sha256(model).hexdigest():
                raise DamagedModel(self.model_file)
        return model

    def stamp(self) -> FileStamp:
        """Changes when somebody replaces or mends what the plan is made from."""
        return stamp_of(self.folder / CONFIG_FILE, self.folder / MANIFEST_FILE, self.model_file)


def find_tensorrt_builds(repository: Path, accepts: Callable[[str], bool]) -> tuple[TensorRtBuild, ...]:
    """The builds in order of their names.

    Args:
        repository: Folder of builds.
        accepts: Whether builds for a hardware class run here.

    Raises:
        OSError: The folder cannot be read.
    """
    found = (TensorRtBuild.found(folder) for folder in sorted(repository.iterdir()) if _runs_here(folder.name, accepts))
    return tuple(build for build in found if build is not None)


def stamp_of(*paths: Path) -> FileStamp:
    """Time, size and inode of each file; zeros for one that is not there."""
    return tuple(_stamp(path) for path in paths)


def _stamp(path: Path) -> tuple[int, int, int]:
    try:
        stat = path.stat()
    except OSError:
        return (0, 0, 0)
    return (stat.st_mtime_ns, stat.st_size, stat.st_ino)


def _runs_here(name: str, accepts: Callable[[str], bool]) -> bool:
    try:
        return accepts(BuildName.parse(name).hardware_class)
    except InvalidBuildName:
        return False


def _word(config: ParsedMessage, field: str) -> str:
    values = config.get(field, [])
    return str(values[-1]) if values else ""
