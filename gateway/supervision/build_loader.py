"""How a build gets into Triton: from our own repository, or in a Triton that somebody else runs."""

import asyncio
import hashlib
import logging
import secrets
from pathlib import Path
from typing import Protocol

from pydantic import ValidationError

from contracts.build_manifest import MANIFEST_FILE, BuildManifest
from contracts.engine_cache import PLAN_FILE
from gateway.errors import TritonRejected
from gateway.oip import model_config_pb2
from gateway.supervision.engine_errors import EngineRefused
from gateway.supervision.engine_folder import EngineFolder
from gateway.supervision.plan_copies import OWNER_PARAMETER, remove_plan_copies
from gateway.triton.control import TritonControl
from gateway.triton.model_config import (
    MachineLimits,
    config_for_machine,
    config_of_generation,
    config_with_plan,
    needs_plan,
    parse_config,
)

_LOG = logging.getLogger(__name__)
_VERSION_FOLDER = "1"


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

    def forget(self) -> None:
        """Triton was restarted: nothing is loaded any more."""
        ...


class LocalBuildLoader:
    """Loads from the state folder's repository, with this machine's instances and threads.

    Args:
        control: Triton's repository calls.
        repository: Folder of builds.
        limits: Instances and threads per build.
        engines: Plans of the TensorRT builds.
    """

    def __init__(self, control: TritonControl, repository: Path, limits: MachineLimits, engines: EngineFolder) -> None:
        self._control = control
        self._repository = repository
        self._limits = limits
        self._engines = engines

    async def load(self, name: str, *, again: bool) -> model_config_pb2.ModelConfig:  # noqa: ARG002 - always afresh
        """Check the build's files, then load it; of a TensorRT build, the plan that this machine made of it.

        Raises:
            OSError: Files are missing.
            CorruptBuild: They differ from the manifest.
            InvalidModelConfig: ``config.pbtxt`` is malformed.
            EngineNotReady: Its plan is not there (yet), or Triton refuses it.
            TritonRejected: Triton or the backend refuses it.
            TritonUnavailable: Nobody answered.
        """
        folder = self._repository / name
        await asyncio.to_thread(require_intact, folder)
        config = parse_config((folder / "config.pbtxt").read_text())
        if needs_plan(config):
            await self._load_plan(name, config)
        else:
            await self._control.load(name, config_for_machine(config, self._limits, secrets.token_hex(4)))
        return await self._control.config(name)

    async def _load_plan(self, name: str, config: model_config_pb2.ModelConfig) -> None:
        model = self._repository / name / _VERSION_FOLDER / (config.default_model_filename or "model.onnx")
        status = await asyncio.to_thread(self._engines.ready, name, model)
        plan = await asyncio.to_thread(self._engines.read_plan, status)
        owned = config_with_plan(config, OWNER_PARAMETER, self._engines.owner)
        wanted = config_for_machine(owned, self._limits, secrets.token_hex(4))
        try:
            await self._control.load(name, wanted, files={f"{_VERSION_FOLDER}/{PLAN_FILE}": plan})
        except TritonRejected as error:
            machine = "another machine" if status.facts is None else status.facts.machine
            raise EngineRefused(machine, str(error)) from error

    def signature(self, name: str) -> tuple[int, ...]:
        """Modification times of the build's folder and what is directly in it, and the state of its plan."""
        folder = self._repository / name
        times = []
        for path in (folder, folder / "config.pbtxt", folder / MANIFEST_FILE, folder / "1"):
            try:
                times.append(path.stat().st_mtime_ns)
            except OSError:
                times.append(0)
        return (*times, *self._engines.signature(name))

    def forget(self) -> None:
        """Remove what a Triton that was killed kept of the plans that it was given."""
        removed = remove_plan_copies(self._engines.owner)
        if removed:
            _LOG.info("plans that a killed Triton left behind were removed", extra={"count": removed})


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

    def forget(self) -> None:
        """It is somebody else's Triton."""


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
