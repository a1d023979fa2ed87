"""How a build gets into Triton: from our own repository, or in a Triton that somebody else runs."""

import asyncio
import logging
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from contracts.build_manifest import MANIFEST_FILE
from contracts.engine_cache import PLAN_FILE, EngineStatus
from gateway.errors import TritonRejected
from gateway.oip import model_config_pb2
from gateway.supervision.build_files import intact_files
from gateway.supervision.engine_errors import EngineRefused
from gateway.supervision.engine_folder import EngineFolder
from gateway.supervision.plan_copies import OWNER_PARAMETER, remove_plan_copies
from gateway.triton.control import TritonControl
from gateway.triton.load_seal import SEAL_PARAMETER, is_sealed, is_what_was_sent, mark_of, sealed
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


class BuildLoader(Protocol):
    """Loads builds."""

    async def take_over(self, name: str) -> model_config_pb2.ModelConfig | None:
        """The config of a build that Triton has already, just as ``load`` would load it; None where it has not."""
        ...

    async def left_over(self, wanted: tuple[str, ...]) -> tuple[str, ...]:
        """Builds that an earlier gateway loaded and nobody wants any more."""
        ...

    async def load(self, name: str, *, again: bool) -> model_config_pb2.ModelConfig:
        """Load a build, or a fresh set of its instances (``again``); returns the config that Triton has."""
        ...

    def signature(self, name: str) -> tuple[int, ...]:
        """Changes when somebody puts the build's files there or mends them."""
        ...

    def forget(self) -> None:
        """Triton was restarted, or found: what it has is not known."""
        ...


@dataclass(frozen=True, slots=True)
class _Load:
    """What a load call would send: the config, and the plan of a TensorRT build."""

    config: dict[str, Any]
    plan: EngineStatus | None


class LocalBuildLoader:
    """Loads from the state folder's repository, with this machine's instances and threads.

    Args:
        control: Triton's repository calls.
        repository: Folder of builds.
        limits: Instances and threads per build.
        engines: Plans of the TensorRT builds.
        starts_triton: Whether Triton is ours to start, so that after its end the copies of plans are ours to remove.
    """

    def __init__(
        self,
        control: TritonControl,
        repository: Path,
        limits: MachineLimits,
        engines: EngineFolder,
        *,
        starts_triton: bool,
    ) -> None:
        self._control = control
        self._repository = repository
        self._limits = limits
        self._engines = engines
        self._starts_triton = starts_triton

    async def take_over(self, name: str) -> model_config_pb2.ModelConfig | None:
        """The config of a build that an earlier gateway loaded: of the files that it has now, with the same values.

        Raises:
            OSError, CorruptBuild, InvalidModelConfig, EngineNotReady: As ``load`` would.
            TritonRejected: It was unloaded meanwhile.
            TritonUnavailable: Nobody answered.
        """
        if not await self._control.is_ready(name):
            return None
        found = await self._control.config(name)
        if not is_sealed(found):
            return None
        wanted = await self._load_of(name, mark_of(found))
        return found if is_what_was_sent(found, wanted.config) else None

    async def left_over(self, wanted: tuple[str, ...]) -> tuple[str, ...]:
        """Builds in Triton that carry a gateway's seal and nobody wants any more; what others loaded is not ours.

        Raises:
            TritonUnavailable: Nobody answered.
        """
        ready = dict.fromkeys(each.name for each in await self._control.index() if each.is_ready)  # a line per version
        return tuple([name for name in ready if name not in wanted and await self._is_ours(name)])

    async def _is_ours(self, name: str) -> bool:
        try:
            return is_sealed(await self._control.config(name))
        except TritonRejected:  # it was unloaded meanwhile
            return False

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
        wanted = await self._load_of(name, secrets.token_hex(8))
        if wanted.plan is None:
            await self._control.load(name, wanted.config)
        else:
            await self._load_plan(name, wanted.config, wanted.plan)
        return await self._control.config(name)

    async def _load_of(self, name: str, mark: str) -> _Load:
        folder = self._repository / name
        digests = await asyncio.to_thread(intact_files, folder)
        config = parse_config((folder / "config.pbtxt").read_bytes())
        if not needs_plan(config):
            return _Load(sealed(config_for_machine(config, self._limits, mark), digests), None)
        model = folder / _VERSION_FOLDER / (config.default_model_filename or "model.onnx")
        status = await asyncio.to_thread(self._engines.ready, name, model)
        owned = config_with_plan(config, OWNER_PARAMETER, self._engines.owner)
        digests[PLAN_FILE] = status.plan_sha256 or ""
        return _Load(sealed(config_for_machine(owned, self._limits, mark), digests), status)

    async def _load_plan(self, name: str, config: dict[str, Any], status: EngineStatus) -> None:
        plan = await asyncio.to_thread(self._engines.read_plan, status)
        try:
            await self._control.load(name, config, files={f"{_VERSION_FOLDER}/{PLAN_FILE}": plan})
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
        """Remove what a killed Triton of ours kept of the plans that it was given; another's may live and need them."""
        if not self._starts_triton:
            return
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

    async def take_over(self, name: str) -> model_config_pb2.ModelConfig | None:
        """The config of a build that is ready, whoever loaded it.

        Raises:
            TritonRejected: It was unloaded meanwhile.
            TritonUnavailable: Nobody answered.
        """
        return await self._control.config(name) if await self._control.is_ready(name) else None

    async def left_over(self, _wanted: tuple[str, ...]) -> tuple[str, ...]:
        """What else is loaded there is somebody else's."""
        return ()

    async def load(self, name: str, *, again: bool) -> model_config_pb2.ModelConfig:
        """Load the build by its own config there, unless it is ready.

        Raises:
            TritonRejected: Triton does not know it, or refuses it.
            TritonUnavailable: Nobody answered.
        """
        if again:
            config = await self._control.config(name)
            config.parameters.pop(SEAL_PARAMETER, None)  # of other files, perhaps, than those that are loaded here
            await self._control.load(name, config_of_generation(config, secrets.token_hex(8)))
        elif not await self._control.is_ready(name):
            await self._control.load(name, None)
        return await self._control.config(name)

    def signature(self, _name: str) -> tuple[int, ...]:
        """The files are out of sight."""
        return ()

    def forget(self) -> None:
        """It is somebody else's Triton."""
