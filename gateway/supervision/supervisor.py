"""The supervisor: brings Triton up, loads what is wanted, mends what breaks, and tells the workers what there is."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress

from contracts.active_models import ActiveModel
from gateway.catalogue import Catalogue
from gateway.errors import GatewayError, InstanceLost
from gateway.supervision.active_models_file import ActiveModelsFile
from gateway.supervision.model_keeper import ModelKeeper
from gateway.supervision.probe import Prober
from gateway.supervision.triton_runner import TritonRunner
from gateway.triton.control import TritonControl

_LOG = logging.getLogger(__name__)
_TICK_SECONDS = 0.25
_REPORTS_SETTLE_SECONDS = 2.0
_LIVE_INTERVAL_SECONDS = 2.0
_HANGING_SECONDS = 20.0


class Supervisor:
    """One loop over Triton's life; nobody else loads or unloads.

    Args:
        runner: Brings Triton up.
        control: Triton's repository, for its version.
        keeper: Loads and reloads builds.
        prober: Canary inferences.
        active_file: What is wanted.
        publish: Given each new catalogue; returns when it is in force.
        clock: Monotonic seconds.
    """

    def __init__(
        self,
        runner: TritonRunner,
        control: TritonControl,
        keeper: ModelKeeper,
        prober: Prober,
        active_file: ActiveModelsFile,
        publish: Callable[[Catalogue], Awaitable[None]],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._runner = runner
        self._control = control
        self._keeper = keeper
        self._prober = prober
        self._active_file = active_file
        self._publish_to_workers = publish
        self._clock = clock
        self._poked = asyncio.Event()
        self._reports: dict[str, str] = {}
        self._broken: dict[str, str] = {}
        self._publishing = asyncio.Lock()
        self._replaced_at: dict[str, float] = {}
        self._in_force: dict[str, ActiveModel] = {}
        self._generation = 0
        self._version = ""
        self._published: Catalogue | None = None
        self.catalogue = Catalogue()

    def report_lost(self, error: InstanceLost) -> None:
        """A worker met a dead instance: look now, not at the next tick."""
        self._reports.setdefault(error.build, str(error))
        self._poked.set()

    async def announce(self) -> None:
        """Say what will be served, before Triton is up: the aliases are known, and not ready."""
        self._active_file.refresh()
        await self._publish(up=False, reason="Triton is starting")

    async def run(self, *, already_up: bool = False) -> None:
        """Run until cancelled.

        Args:
            already_up: Triton answers already; the first ``bring_up`` is left out.
        """
        while True:
            if not already_up:
                await self._runner.bring_up()
            already_up = False
            gone = asyncio.create_task(self._runner.wait_until_gone())
            watch = asyncio.create_task(self._watch())
            try:
                await self._begin_life()
                while not gone.done():
                    if not await self._look_after_models():
                        await self._pause(gone)
                    if watch.done():
                        watch.result()
            finally:
                gone.cancel()
                watch.cancel()
            await self._say_down(gone.result())

    async def _watch(self) -> None:
        """Tell about dead instances and a hanging Triton at once, also while a load takes its time."""
        answered_at = self._clock()
        while True:
            await asyncio.sleep(_TICK_SECONDS)
            if self._note_losses():
                with suppress(GatewayError):  # a Triton that does not answer, either; it is published again soon
                    await self._publish_up()
            if self._clock() - answered_at > _LIVE_INTERVAL_SECONDS and await self._control.is_live(
                _LIVE_INTERVAL_SECONDS
            ):
                answered_at = self._clock()
            if self._clock() - answered_at > _HANGING_SECONDS:
                await self._restart_triton("it does not answer")
                answered_at = self._clock()

    def _note_losses(self) -> bool:
        broken = self._runner.broken_instances()
        for instance in broken:
            self._broken[instance.model] = instance.reason
            serves = self._runner.has_live_instance(instance.model)
            self._keeper.note_loss(instance.model, instance.reason, still_serves=serves)
            self._poked.set()
        return bool(broken)

    async def _after_change(self) -> None:
        self._runner.expect_new_instances()
        self._note_losses()  # also learns which process serves which model while all of them live
        await self._publish_up()

    async def _begin_life(self) -> None:
        self._keeper.forget()
        self._reports.clear()
        self._broken.clear()
        self._generation += 1
        try:
            self._version = await self._control.server_version()
            await self._publish_up()
        except GatewayError as error:
            _LOG.warning("Triton went away at once", extra={"reason": str(error)})

    async def _say_down(self, reason: str) -> None:
        _LOG.error("Triton is gone", extra={"reason": reason})
        self._keeper.forget()
        await self._publish(up=False, reason=reason)

    async def _look_after_models(self) -> bool:
        """Take one step, so that what broke waits for one load at most; tells whether the next is due at once."""
        try:
            self._active_file.refresh()
            await self._mend()
            more = await self._keeper.reconcile(self._wanted_builds(), on_change=self._after_change)
            await self._publish_up()
            await self._probe()
        except GatewayError as error:
            _LOG.warning("Triton did not do what was asked; it is asked again", extra={"reason": str(error)})
            return False
        return more

    def _wanted_builds(self) -> tuple[str, ...]:
        """What the file wants, and what still answers until that can."""
        in_force = (build for model in self._aliases().values() for build in model.builds())
        return tuple(dict.fromkeys((*self._active_file.current.builds(), *in_force)))

    def _aliases(self) -> Mapping[str, ActiveModel]:
        """The aliases as they are in force: a new choice of builds takes over once one of them answers."""
        builds = self._keeper.builds
        for alias, wanted in self._active_file.current.models.items():
            names = (wanted.stable, wanted.previous, wanted.fallback)
            answers = any(name is not None and name in builds and builds[name].ready for name in names)
            if answers or alias not in self._in_force:
                self._in_force[alias] = wanted
        for alias in self._in_force.keys() - self._active_file.current.models.keys():
            del self._in_force[alias]
        return dict(self._in_force)

    async def _mend(self) -> None:
        broken, self._broken = self._broken, {}
        reports, self._reports = self._reports, {}
        for build, reason in reports.items():
            if self._clock() - self._replaced_at.get(build, float("-inf")) > _REPORTS_SETTLE_SECONDS:
                broken.setdefault(build, reason)
        for build, reason in broken.items():
            await self._replace(build, reason)

    async def _probe(self) -> None:
        for loaded in self._keeper.builds.values():
            if loaded.ready:
                await self._escalate(loaded.name, await self._prober.failing(loaded))

    async def _replace(self, build: str, reason: str) -> None:
        old = self._runner.instances_of(build)
        self._keeper.note_loss(build, reason, still_serves=self._runner.has_live_instance(build))
        await self._publish_up()
        if await self._keeper.replace_instances(build, reason):
            self._runner.end_instances(old)
        self._replaced_at[build] = self._clock()

    async def _escalate(self, build: str, failures: int) -> None:
        """Each further failed probe gets a stronger remedy; Triton itself is only ended when nothing else works."""
        others_answer = any(other.ready and other.name != build for other in self._keeper.builds.values())
        if failures == 1:
            await self._replace(build, "it did not answer a probe")
        elif failures == 2:
            await self._keeper.reload_from_nothing(build)
        elif failures > 2 and not others_answer:
            self._prober.forget()
            await self._restart_triton(f"no build answers, {build} neither")

    async def _restart_triton(self, reason: str) -> None:
        if await self._runner.restart():
            _LOG.error("Triton was ended, to be started again", extra={"reason": reason})
        else:
            _LOG.error("Triton has to be restarted by who runs it", extra={"reason": reason})

    async def _pause(self, gone: "asyncio.Task[str]") -> None:
        poked = asyncio.create_task(self._poked.wait())
        await asyncio.wait({gone, poked}, timeout=_TICK_SECONDS, return_when=asyncio.FIRST_COMPLETED)
        poked.cancel()
        self._poked.clear()

    async def _publish_up(self) -> None:
        await self._publish(up=True, reason="")

    async def _publish(self, *, up: bool, reason: str) -> None:
        self.catalogue = Catalogue(
            generation=self._generation,
            triton_up=up,
            triton_reason=reason,
            triton_version=self._version,
            aliases=self._aliases(),
            cascades=dict(self._active_file.current.cascades),
            builds=self._keeper.builds,
        )
        async with self._publishing:
            latest = self.catalogue
            if latest != self._published:
                await self._publish_to_workers(latest)
                self._published = latest  # only now: what failed is published again at the next tick
