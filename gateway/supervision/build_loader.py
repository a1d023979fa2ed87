"""How a build gets into Triton: from our own repository, or in a Triton that somebody else runs."""

import asyncio
import hashlib
import secrets
from pathlib import Path
from typing import Protocol

from pydantic import ValidationError

from contracts.build_manifest import MANIFEST_FILE, BuildManifest
from gateway.oip import model_config_pb2
from gateway.triton.control import TritonControl
from gateway.triton.model_config import MachineLimits, config_for_machine, config_of_generation, parse_config


class CorruptBuild(ValueError):
    """A build's files are not what its manifest says."""

    def __init__(self, file: str, fact: str) -> None:
        self.file = file
        super().__init__(f"{file} {fact}; install the build again")


class BuildLoader(Protocol):
    """Loads builds."""

    async def load(self, name: str, *, again: bool) -> model_config_pb2.ModelConfig:
        """Load a build, or a fresh set of its instances (``again``); returns the config that Triton has."""
        ...

    def signature(self, name: str) -> tuple[int, ...]:
        """Changes when somebody puts the build's files there or mends them."""
        ...


class LocalBuildLoader:
    """Loads from the state folder's repository, with this machine's instances and threads.

    Args:
        control: Triton's repository calls.
        repository: Folder of builds.
        limits: Instances and threads per build.
    """

    def __init__(self, control: TritonControl, repository: Path, limits: MachineLimits) -> None:
        self._control = control
        self._repository = repository
        self._limits = limits

    async def load(self, name: str, *, again: bool) -> model_config_pb2.ModelConfig:  # noqa: ARG002 - always afresh
        """Check the build's files, then load it.

        Raises:
            OSError: Files are missing.
            CorruptBuild: They differ from the manifest.
            InvalidModelConfig: ``config.pbtxt`` is malformed.
            TritonRejected: Triton or the backend refuses it.
            TritonUnavailable: Nobody answered.
        """
        folder = self._repository / name
        await asyncio.to_thread(require_intact, folder)
        config = parse_config((folder / "config.pbtxt").read_text())
        await self._control.load(name, config_for_machine(config, self._limits, secrets.token_hex(4)))
        return await self._control.config(name)

    def signature(self, name: str) -> tuple[int, ...]:
        """Modification times of the build's folder and what is directly in it."""
        folder = self._repository / name
        times = []
        for path in (folder, folder / "config.pbtxt", folder / MANIFEST_FILE, folder / "1"):
            try:
                times.append(path.stat().st_mtime_ns)
            except OSError:
                times.append(0)
        return tuple(times)


class RemoteBuildLoader:
    """Uses what a Triton elsewhere has; what is loaded there already is left as it is.

    Args:
        control: Triton's repository calls.
    """

    def __init__(self, control: TritonControl) -> None:
        self._control = control

    async def load(self, name: str, *, again: bool) -> model_config_pb2.ModelConfig:
        """Load the build by its own config there, unless it is ready.

        Raises:
            TritonRejected: Triton does not know it, or refuses it.
            TritonUnavailable: Nobody answered.
        """
        if again:
            config = await self._control.config(name)
            await self._control.load(name, config_of_generation(config, secrets.token_hex(4)))
        elif not await self._control.is_ready(name):
            await self._control.load(name, None)
        return await self._control.config(name)

    def signature(self, _name: str) -> tuple[int, ...]:
        """The files are out of sight."""
        return ()


def require_intact(folder: Path) -> None:
    """Compare a build's files with its manifest; one without a manifest is taken as it is.

    Raises:
        OSError: A file cannot be read.
        CorruptBuild: The manifest is malformed or of another build, or a file is missing or differs.
    """
    path = folder / MANIFEST_FILE
    if not path.exists():
        return
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
        with file.open("rb") as content:
            if hashlib.file_digest(content, "sha256").hexdigest() != expected:
                raise CorruptBuild(name, "differs from the manifest")
