"""Triton as the supervisor sees it: an embedded one is started again when it ends, a remote one is watched."""

import asyncio
import contextlib
import logging
import os
import signal
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Protocol

from gateway.start_errors import TritonNotStarted
from gateway.supervision.child_processes import processes
from gateway.supervision.embedded_triton import EmbeddedTriton
from gateway.supervision.instance_watch import BrokenInstance, InstanceWatch
from gateway.supervision.memory_kills import MemoryKills
from gateway.triton.control import TritonControl

_LOG = logging.getLogger(__name__)
_START_LIMIT_SECONDS = 60.0
_STEADY_SECONDS = 30.0
_FINISH_SECONDS = 2.0
_SCAN_SECONDS = 2.0
_PAUSES_SECONDS = (0.0, 0.2, 1.0, 2.0, 5.0, 10.0, 30.0)


class TritonRunner(Protocol):
    """Brings Triton up, and says when it is gone."""

    async def bring_up(self) -> None:
        """Return when Triton answers; waits and tries again for as long as it takes."""
        ...

    async def wait_until_gone(self) -> str:
        """Return when Triton no longer answers, with the reason."""
        ...

    def broken_instances(self) -> tuple[BrokenInstance, ...]:
        """Backend processes that are dead or stopped and were not reported before."""
        ...

    def expect_new_instances(self) -> None:
        """A build was loaded: look for its processes at the next look."""
        ...

    def instances_of(self, model: str) -> tuple[int, ...]:
        """Processes of a model's instances."""
        ...

    def has_live_instance(self, model: str) -> bool:
        """Whether something of the model can answer, as far as can be seen."""
        ...

    def end_instances(self, pids: tuple[int, ...]) -> None:
        """End processes that a reload has replaced: with a dead one among them, Triton itself never does."""
        ...

    async def restart(self) -> bool:
        """End it, so that it is brought up again; tells whether that was done: a remote one is not ours to end."""
        ...

    async def close(self) -> None:
        """End it for good."""
        ...


class EmbeddedRunner:
    """Runs the embedded Triton.

    Args:
        triton: The child process.
        control: To see when it answers.
        memory_kills: To tell why a process was killed.
        clock: Monotonic seconds.
    """

    def __init__(
        self,
        triton: EmbeddedTriton,
        control: TritonControl,
        memory_kills: MemoryKills,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._triton = triton
        self._control = control
        self._memory_kills = memory_kills
        self._clock = clock
        self._watch = InstanceWatch()
        self._failures = 0
        self._scan_at = 0.0

    async def bring_up(self) -> None:
        """Start the process until it answers, with growing pauses when it keeps ending."""
        while True:
            await asyncio.sleep(_PAUSES_SECONDS[min(self._failures, len(_PAUSES_SECONDS) - 1)])
            await self._triton.kill()  # one that hangs would keep the ports
            try:
                await self._triton.start()
            except OSError as error:
                self._failures += 1
                _LOG.error("Triton cannot be started", extra={"reason": str(error)})
                continue
            self._watch = InstanceWatch()
            self._scan_at = 0.0
            if await self._answers():
                _LOG.info("Triton is up", extra={"pid": self._triton.pid, "port": self._triton.ports.grpc})
                return
            self._failures += 1
            code = self._triton.exit_code
            why = self._why_killed(code) or "its log has its own words"
            _LOG.error("Triton does not start", extra={"exit_code": code, "reason": why})

    async def start_once(self) -> None:
        """The first start: a failure is the operator's to mend.

        Raises:
            TritonDied: It ended before it answered.
            TritonNotStarted: Its folder cannot be written, or it cannot be executed.
        """
        try:
            await self._triton.start()
        except OSError as error:
            raise TritonNotStarted(str(error)) from error
        if not await self._answers():
            self._triton.require_running()
            raise TritonNotStarted(f"it does not answer within {_START_LIMIT_SECONDS:.0f} s")

    async def _answers(self) -> bool:
        until = self._clock() + _START_LIMIT_SECONDS
        while self._clock() < until and self._triton.exit_code is None:
            # another Triton may have taken the port: only ours knows its id
            if await self._control.server_name(0.5) == self._triton.server_id:
                return True
            await asyncio.sleep(0.02)
        return False

    async def wait_until_gone(self) -> str:
        """Return at the end of the process."""
        code = await self._triton.wait()
        steady = self._clock() - self._triton.started_at >= _STEADY_SECONDS
        self._failures = 0 if steady else self._failures + 1
        how = f"signal {signal.Signals(-code).name}" if code < 0 else f"code {code}"
        why = self._why_killed(code)
        return f"the process ended with {how}{f' ({why})' if why else ''}; it is being restarted"

    def _why_killed(self, exit_code: int | None) -> str:
        return self._memory_kills.reason() if exit_code == -signal.SIGKILL else ""

    def expect_new_instances(self) -> None:
        """Look for new processes at the next look."""
        self._scan_at = 0.0

    def broken_instances(self) -> tuple[BrokenInstance, ...]:
        """Look at the process's children; a stopped one is killed, so that its requests fail instead of waiting.

        The children that are known are looked at each time, new ones are looked for now and then: for that, every
        thread of the server has to be asked.
        """
        self._memory_kills.look()
        if self._clock() >= self._scan_at:
            self._scan_at = self._clock() + _SCAN_SECONDS
            broken = self._watch.look(self._triton.stubs())
        else:
            broken = self._watch.look(processes(self._watch.pids))
        for instance in broken:
            if "stopped" in instance.reason:
                _kill(instance.pid)
        return tuple(self._explained(instance) for instance in broken)

    def _explained(self, instance: BrokenInstance) -> BrokenInstance:
        why = self._memory_kills.reason() if "died" in instance.reason else ""
        return replace(instance, reason=f"{instance.reason}: {why}") if why else instance

    def instances_of(self, model: str) -> tuple[int, ...]:
        """Processes of a model's instances, as far as they were looked at."""
        return self._watch.instances_of(model)

    def has_live_instance(self, model: str) -> bool:
        """Whether a process of the model lives."""
        return self._watch.has_live_instance(model)

    def end_instances(self, pids: tuple[int, ...]) -> None:
        """End processes that were replaced, after a while for the requests that they still have."""
        self._watch.expect_end(pids)
        asyncio.get_running_loop().call_later(_FINISH_SECONDS, self._kill_if_alive, pids)

    def _kill_if_alive(self, pids: tuple[int, ...]) -> None:
        alive = {child.pid for child in self._triton.stubs()}
        for pid in alive.intersection(pids):
            _kill(pid)

    async def restart(self) -> bool:
        """Kill the process; ``wait_until_gone`` and ``bring_up`` follow."""
        await self._triton.kill()
        return True

    async def close(self) -> None:
        """Stop the process."""
        await self._triton.stop()


def _kill(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


class RemoteRunner:
    """Watches a Triton that somebody else runs.

    Args:
        control: To ask whether it answers.
        interval_seconds: Between two questions.
    """

    def __init__(self, control: TritonControl, interval_seconds: float = 1.0) -> None:
        self._control = control
        self._interval_seconds = interval_seconds
        self._name = ""

    async def bring_up(self) -> None:
        """Wait for an answer."""
        while (name := await self._control.server_name(2.0)) is None:  # noqa: ASYNC110 - only a question tells
            await asyncio.sleep(self._interval_seconds)
        self._name = name

    async def wait_until_gone(self) -> str:
        """Ask until there is no answer twice in a row, or another server answers.

        One that was started again within the interval has none of the builds and none of the memory that its
        predecessor had; a Triton that Outpost started tells it by its name.
        """
        misses = 0
        while misses < 2:
            await asyncio.sleep(self._interval_seconds)
            name = await self._control.server_name(2.0)
            if name not in (None, self._name):
                return "it was started again"
            misses = misses + 1 if name is None else 0
        return "it does not answer"

    def expect_new_instances(self) -> None:
        """Nothing can be seen from here."""

    def broken_instances(self) -> tuple[BrokenInstance, ...]:
        """Nothing can be seen from here."""
        return ()

    def instances_of(self, _model: str) -> tuple[int, ...]:
        """Nothing can be seen from here."""
        return ()

    def has_live_instance(self, _model: str) -> bool:
        """Nothing can be seen from here, so that a reload is all that can be done."""
        return True

    def end_instances(self, pids: tuple[int, ...]) -> None:
        """Not ours to end."""

    async def restart(self) -> bool:
        """Not ours to restart."""
        return False

    async def close(self) -> None:
        """Leave it running."""
