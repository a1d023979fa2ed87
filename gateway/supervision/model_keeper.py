"""Keeps Triton's loaded models equal to what is wanted, and replaces instances that died."""

import asyncio
import logging
import math
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from pydantic import ValidationError

from contracts.build_name import BuildName
from contracts.model_card import CARD_PARAMETER, ModelCard
from gateway.catalogue import LoadedBuild
from gateway.cpu_flags import cpu_flags, precision_reason
from gateway.errors import GatewayError, TritonUnavailable
from gateway.oip import model_config_pb2
from gateway.supervision.build_loader import BuildLoader
from gateway.supervision.engine_errors import EngineNotReady
from gateway.triton.control import TritonControl
from gateway.triton.model_config import needs_plan, raw_output_shape

_LOG = logging.getLogger(__name__)
_FINISH_SECONDS = 0.5
_ASK_SECONDS = 2.0
_RETRY_SECONDS = (1.0, 2.0, 5.0, 10.0, 30.0)


@dataclass(slots=True)
class _Kept:
    """What is known of one wanted build.

    Attributes:
        tried: Whether anything was done about it since Triton came up.
        signature: Of the files that were tried last.
        serving_signature: Of the files that serve.
        with_plan: Whether what serves is a TensorRT plan.
    """

    loaded: LoadedBuild
    tried: bool = False
    failures: int = 0
    try_again_at: float = 0.0
    ask_at: float = 0.0
    signature: tuple[int, ...] = ()
    serving_signature: tuple[int, ...] = ()
    with_plan: bool = False


class ModelKeeper:
    """Loads, unloads and reloads builds; one that fails does not hold up the others.

    Args:
        control: Triton's repository calls.
        loader: How a build is loaded.
        refusal: Says of a hardware class why its builds are not loaded here; empty where they are.
        clock: Monotonic seconds.
    """

    def __init__(
        self,
        control: TritonControl,
        loader: BuildLoader,
        refusal: Callable[[str], str],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._control = control
        self._loader = loader
        self._refusal = refusal
        self._clock = clock
        self._kept: dict[str, _Kept] = {}
        self._look_for_left_overs_at = 0.0

    @property
    def builds(self) -> dict[str, LoadedBuild]:
        """What is known now, by name."""
        return {name: kept.loaded for name, kept in self._kept.items()}

    def forget(self) -> None:
        """Triton was restarted, or found: what it has loaded is not known."""
        self._loader.forget()
        self._look_for_left_overs_at = 0.0
        for name in self._kept:
            self._kept[name] = _Kept(LoadedBuild(name=name, ready=False, reason="Triton was restarted"))

    async def reconcile(self, wanted: tuple[str, ...], *, on_change: Callable[[], Awaitable[None]]) -> bool:
        """Take one step towards what is wanted: what is there already is taken over, or one build is loaded.

        What nobody wants is unloaded first, to make room.

        Args:
            wanted: Names of builds, in the order in which they should be loaded; those that failed come last.
            on_change: Called after each build whose state changed.

        Returns:
            Whether there is more to do at once.

        Raises:
            TritonUnavailable: Triton went away.
        """
        took_over = False
        for name in wanted:
            kept = self._kept.setdefault(name, _Kept(LoadedBuild(name=name, ready=False)))
            await self._ask_whether_still_there(kept)
            if not kept.tried and await self._take_over(name, kept):
                took_over = True
                await on_change()
        await self._unload_unwanted(wanted, on_change)
        due = [kept for name in wanted if self._is_due(kept := self._kept[name])]
        if took_over or not due:
            return bool(due)
        kept = min(due, key=lambda each: each.failures)
        await self._load(kept.loaded.name, kept, again=kept.loaded.ready)
        await on_change()
        return len(due) > 1

    async def _unload_unwanted(self, wanted: tuple[str, ...], on_change: Callable[[], Awaitable[None]]) -> None:
        unwanted = [name for name in self._kept if name not in wanted]
        for name in unwanted:
            del self._kept[name]
        if unwanted:
            await on_change()  # no new request goes there from now on; those in work get time to finish
            await asyncio.sleep(_FINISH_SECONDS)
        for name in unwanted:
            await self._unload(name)
        if wanted and self._clock() >= self._look_for_left_overs_at:  # nothing is wanted of a malformed active.json
            self._look_for_left_overs_at = self._clock() + _RETRY_SECONDS[-1]
            await self._unload_left_overs(tuple(name for name in wanted if not self._refused(name)))

    async def _unload_left_overs(self, wanted: tuple[str, ...]) -> None:
        try:
            left_over = await self._loader.left_over(wanted)
        except TritonUnavailable:
            raise
        except GatewayError as error:
            _LOG.warning("builds of an earlier gateway may stay loaded", extra={"reason": str(error)})
            return
        if all([await self._unload(name) for name in left_over]):
            self._look_for_left_overs_at = math.inf

    def _refused(self, name: str) -> str:
        return self._refusal(BuildName.parse(name).hardware_class)

    async def _ask_whether_still_there(self, kept: _Kept) -> None:
        """Somebody else may have unloaded it, or restarted a remote Triton between two looks."""
        if not kept.loaded.ready or self._clock() < kept.ask_at:
            return
        kept.ask_at = self._clock() + _ASK_SECONDS
        if not await self._control.is_ready(kept.loaded.name):
            said = {"ready": False, "reason": "Triton does not have it any more"}
            kept.loaded = kept.loaded.model_copy(update=said)

    def _is_due(self, kept: _Kept) -> bool:
        if kept.loaded.ready and not kept.with_plan:
            return False
        signature = self._loader.signature(kept.loaded.name)
        if kept.loaded.ready and signature == kept.serving_signature:
            return False
        return self._clock() >= kept.try_again_at or signature != kept.signature

    def note_loss(self, name: str, reason: str, *, still_serves: bool) -> None:
        """Say what is wrong with a build before it is mended."""
        kept = self._kept.get(name)
        if kept is not None and kept.loaded.ready:
            said = f"instances are being replaced: {reason}"
            kept.loaded = kept.loaded.model_copy(update={"ready": still_serves, "reason": said})

    async def replace_instances(self, name: str, reason: str) -> bool:
        """Load a fresh set of instances of a build while the old set serves; tells whether it serves now.

        Raises:
            TritonUnavailable: Triton went away.
        """
        kept = self._kept.get(name)
        if kept is None or kept.failures:  # what does not load is tried again by reconcile, with pauses
            return False
        _LOG.warning("replacing the instances of a build", extra={"build": name, "reason": reason})
        return await self._load(name, kept, again=True)

    async def reload_from_nothing(self, name: str) -> None:
        """Unload, then load: the second remedy, with a gap.

        Raises:
            TritonUnavailable: Triton went away.
        """
        if name in self._kept:
            await self._unload(name)
            kept = self._kept[name] = _Kept(LoadedBuild(name=name, ready=False, reason="reloading"))
            await self._load(name, kept)

    async def _take_over(self, name: str, kept: _Kept) -> bool:
        """Keep what an earlier gateway has loaded; anything that stands against it is said by the load that follows."""
        if self._refused(name):
            return False
        began_at, signature = self._clock(), self._loader.signature(name)
        try:
            config = await self._loader.take_over(name)
        except TritonUnavailable:
            raise
        except (GatewayError, ValueError, EngineNotReady, OSError):  # a ValueError: files with unusable content
            config = None
        kept.tried = True
        if config is None:
            return False
        kept.signature = signature
        self._note_served(name, kept, config, "build taken over", began_at)
        return True

    async def _load(self, name: str, kept: _Kept, *, again: bool = False) -> bool:
        kept.tried = True
        kept.signature = self._loader.signature(name)
        refused = self._refused(name)
        if refused:
            self._refuse(name, kept, refused)
            return False
        began_at = self._clock()
        try:
            config = await self._loader.load(name, again=again)
        except TritonUnavailable:
            raise
        except EngineNotReady as error:
            await self._wait_for_engine(name, kept, error)
            return False
        except (GatewayError, ValueError, OSError) as error:
            await self._failed(name, kept, failure_in_short(str(error)))
            return False
        self._note_served(name, kept, config, "build loaded", began_at)
        return True

    def _note_served(
        self, name: str, kept: _Kept, config: model_config_pb2.ModelConfig, said: str, began_at: float
    ) -> None:
        card, problem = read_card(config)
        kept.failures = 0
        kept.serving_signature, kept.with_plan = kept.signature, needs_plan(config)
        precision = precision_reason(config.backend, config.parameters["precision"].string_value, cpu_flags())
        kept.loaded = LoadedBuild(
            name=name,
            ready=True,
            reason=problem,
            backend=config.backend,
            precision=precision,
            card=card,
            raw_output_shape=() if card is None else raw_output_shape(config, card.output),
        )
        seconds = round(self._clock() - began_at, 3)
        _LOG.info(said, extra={"build": name, "seconds": seconds, "backend": config.backend})

    def _refuse(self, name: str, kept: _Kept, reason: str) -> None:
        kept.try_again_at = math.inf  # waiting does not change the machine
        kept.loaded = LoadedBuild(name=name, ready=False, reason=f"refused: {reason}", refused=True)
        _LOG.error("build is for another hardware class", extra={"build": name, "reason": reason})

    async def _wait_for_engine(self, name: str, kept: _Kept, error: EngineNotReady) -> None:
        """It is tried again when the state of its plan changes, and now and then, for its maker may have ended."""
        kept.failures += 1
        kept.try_again_at = self._clock() + _RETRY_SECONDS[-1]
        reason = str(error)
        if reason != kept.loaded.reason:
            level = logging.ERROR if error.building_since is None else logging.INFO
            _LOG.log(level, "build waits for its TensorRT plan", extra={"build": name, "reason": reason})
        still_serves = kept.loaded.ready and await self._is_ready(name)
        said = {"ready": still_serves, "reason": reason, "building_since": error.building_since}
        kept.loaded = kept.loaded.model_copy(update=said)

    async def _failed(self, name: str, kept: _Kept, reason: str) -> None:
        pause = _RETRY_SECONDS[min(kept.failures, len(_RETRY_SECONDS) - 1)]
        kept.failures += 1
        kept.try_again_at = self._clock() + pause
        still_serves = kept.loaded.ready and await self._is_ready(name)
        said = {"ready": still_serves, "reason": f"it does not load: {reason}", "building_since": None}
        kept.loaded = kept.loaded.model_copy(update=said)
        _LOG.error("build does not load", extra={"build": name, "reason": reason, "try_again_seconds": pause})

    async def _is_ready(self, name: str) -> bool:
        try:
            return await self._control.is_ready(name)
        except GatewayError:
            return False

    async def _unload(self, name: str) -> bool:
        try:
            await self._control.unload(name)
        except TritonUnavailable:
            raise
        except GatewayError as error:
            _LOG.warning("build was not unloaded", extra={"build": name, "reason": str(error)})
            return False
        _LOG.info("build unloaded", extra={"build": name})
        return True


def read_card(config: model_config_pb2.ModelConfig) -> tuple[ModelCard | None, str]:
    """The card in a model's config, or None and, where there is one that cannot be read, why."""
    if CARD_PARAMETER not in config.parameters:
        return None, ""
    try:
        card = ModelCard.model_validate_json(config.parameters[CARD_PARAMETER].string_value)
    except ValidationError as error:
        return None, f"its card is not usable: {error.errors()[0]['msg']}"
    if card.build != config.name:
        return None, f"its card is of another build, {card.build}"
    return card, ""


def failure_in_short(text: str) -> str:
    """The sentence of a backend inside Triton's report of a failed load."""
    sentence = text.rpartition("TritonModelException: ")[2].partition("\n\nAt:")[0]
    return " ".join(sentence.split()).rstrip(";")
