"""Workers as the supervisor sees them: one in this process, or several of their own."""

import asyncio
import contextlib
import itertools
import json
import logging
import os
import signal
import socket
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Protocol

from prometheus_client import CollectorRegistry, generate_latest
from pydantic import TypeAdapter

from gateway.catalogue import Catalogue
from gateway.errors import GatewayError, InstanceLost, TritonUnavailable
from gateway.frame_memory import remove_stale_regions
from gateway.preprocessing_choice import PreprocessingChoice
from gateway.settings import Settings
from gateway.start_errors import WorkerNotStarted
from gateway.supervision.memory_kills import MemoryKills
from gateway.workers.agreed_preprocessing import AgreedPreprocessing
from gateway.workers.answer_seconds import AnswerSeconds
from gateway.workers.endable_process import EndableProcess
from gateway.workers.lasting_counters import LastingCounters
from gateway.workers.worker import Worker, worker_memory_prefix

_LOG = logging.getLogger(__name__)
_WORKER = (sys.executable, "-m", "gateway", "worker")
_LINE_LIMIT_BYTES = 64 * 2**20
_RESTART_SECONDS = 1.0
_GIVE_AGAIN_SECONDS = 1.0
_STOP_SECONDS = 5.0
LINK_VARIABLE = "OUTPOST_GATEWAY_WORKER_LINK"


@dataclass(frozen=True, slots=True)
class WorkerStatus:
    """What a worker says about itself.

    Attributes:
        pid: Its process; 0 while there is none.
        shared_memory: Whether tensors reach Triton through shared memory, the machine's or a GPU's.
        shared_memory_reason: Why they do not; empty where they do.
        transport: How they travel; empty while there is no process.
        transport_reasons: Why each better way is not taken.
        preprocessing: Where frames become tensors, ``cpu`` or ``cuda``; empty while there is no process.
        preprocessing_reason: Why there; of a GPU, which one it is.
        device_lost: Whether it was to be a GPU that is lost.
    """

    pid: int
    shared_memory: bool
    shared_memory_reason: str
    transport: str = ""
    transport_reasons: Mapping[str, str] = field(default_factory=dict)
    preprocessing: str = ""
    preprocessing_reason: str = ""
    device_lost: bool = False


class WorkerHandle(Protocol):
    """Serves, follows catalogues, tells its metrics."""

    async def start(self) -> None:
        """Return when it serves."""
        ...

    async def accept(self, catalogue: Catalogue) -> None:
        """Put a catalogue in force."""
        ...

    async def metrics_texts(self) -> tuple[str, ...]:
        """Expositions in Prometheus's text format that add up to its metrics."""
        ...

    async def status(self) -> WorkerStatus:
        """How it reaches Triton."""
        ...

    async def stop(self) -> None:
        """Finish the requests in work and end."""
        ...


def status_of(worker: Worker) -> WorkerStatus:
    """The status of a worker in this process."""
    regions = worker.regions
    reasons = {transport.value: reason for transport, reason in regions.reasons.items()}
    return WorkerStatus(
        os.getpid(),
        regions.shared,
        regions.reason,
        regions.current.transport.value,
        reasons,
        worker.preprocessing.choice.path,
        worker.preprocessing.choice.reason,
        worker.preprocessing.lost,
    )


class InProcessWorker:
    """The one worker of the default: it shares the supervisor's process and loop.

    Args:
        worker: The worker.
        registry: Its metrics.
    """

    def __init__(self, worker: Worker, registry: CollectorRegistry) -> None:
        self._worker = worker
        self._registry = registry

    async def start(self) -> None:
        """Return when it serves."""
        await self._worker.start()

    async def accept(self, catalogue: Catalogue) -> None:
        """Put a catalogue in force."""
        await self._worker.accept(catalogue)

    async def metrics_texts(self) -> tuple[str, ...]:
        """Its metrics in Prometheus's text format."""
        return (generate_latest(self._registry).decode(),)

    async def status(self) -> WorkerStatus:
        """How it reaches Triton."""
        return status_of(self._worker)

    async def stop(self) -> None:
        """Finish the requests in work and end."""
        await self._worker.stop()


_USUAL = AnswerSeconds()


class WorkerProcess:
    """A worker in a process of its own, started again when it dies.

    The two sides exchange JSON lines over a socket pair; the end of the line ends the worker.

    Args:
        index: Number of the worker, for its name.
        settings: Passed on.
        on_instance_lost: Told about dead instances.
        forget_regions: Has Triton forget the shared memory whose names begin like this, when a worker has died.
        memory_kills: To tell why a process was killed.
        agreed: Of all workers of the gateway.
        seconds: How long it may take for its answers.
        command: What is started.
    """

    def __init__(
        self,
        index: int,
        settings: Settings,
        on_instance_lost: Callable[[InstanceLost], None],
        forget_regions: Callable[[str], Awaitable[object]],
        memory_kills: MemoryKills,
        agreed: AgreedPreprocessing,
        *,
        seconds: AnswerSeconds = _USUAL,
        command: Sequence[str] = _WORKER,
    ) -> None:
        self._index = index
        self._settings = settings
        self._on_instance_lost = on_instance_lost
        self._forget_regions = forget_regions
        self._memory_kills = memory_kills
        self._agreed = agreed
        self._seconds = seconds
        self._command = command
        self._catalogue = Catalogue()
        self._process: EndableProcess | None = None
        self._writer: asyncio.StreamWriter | None = None
        self._serves = False
        self._asked = itertools.count(1)
        self._answers: dict[int, asyncio.Future[dict[str, object]]] = {}
        self._watch: asyncio.Task[None] | None = None
        self._counters = LastingCounters()
        self._stopping = False
        self._giving: asyncio.Task[None] | None = None
        self._gpu_lost = False
        self._not_with_gpu = ""

    async def start(self) -> None:
        """Return when it serves.

        Raises:
            WorkerNotStarted: It says why, or does not answer.
        """
        try:
            await self._spawn()
        except (OSError, TimeoutError, WorkerNotStarted) as error:
            await self._kill()
            known = isinstance(error, WorkerNotStarted)
            raise error if known else WorkerNotStarted(self._index, _reason(error)) from error
        self._watch = asyncio.create_task(self._keep_alive())

    async def _spawn(self) -> None:
        ours, theirs = socket.socketpair()
        environment = dict(os.environ) | {LINK_VARIABLE: str(theirs.fileno())}
        process = await asyncio.create_subprocess_exec(*self._command, pass_fds=(theirs.fileno(),), env=environment)
        self._process = EndableProcess(process)
        theirs.close()
        reader, self._writer = await asyncio.open_connection(sock=ours, limit=_LINE_LIMIT_BYTES)
        self._reading = asyncio.create_task(self._read(reader))
        started = await self._ask("start", self._first_line(), self._seconds.start)
        if started["problem"]:
            raise WorkerNotStarted(self._index, str(started["problem"]))
        if self._agreed.choice is None:
            self._agreed.choice = TypeAdapter(PreprocessingChoice).validate_python(started["preprocessing"])
        self._serves = True
        if (await self._ask_to_accept())["problem"]:
            self._give_again()

    def _first_line(self) -> dict[str, object]:
        taken, settings = self._agreed.choice, self._settings
        if self._watch is not None:  # it has served once: without its GPU it is of more use than not at all
            settings = settings.model_copy(update={"preprocess": "auto"})
        if self._not_with_gpu:
            taken = PreprocessingChoice("cpu", f"no GPU is used: a process did not start with it: {self._not_with_gpu}")
        return {
            "settings": settings.model_dump(mode="json"),
            "preprocessing": None if taken is None else asdict(taken),
            "gpu_lost": self._gpu_lost or bool(self._not_with_gpu),
        }

    def _note_failure(self, error: Exception) -> None:
        """What does not answer, or dies, may do so because of its GPU: the next process leaves that alone."""
        if not isinstance(error, WorkerNotStarted) and self._agreed.choice and self._agreed.choice.path == "cuda":
            self._not_with_gpu = _what(error)

    def _give_again(self) -> None:
        if self._giving is None or self._giving.done():
            self._giving = asyncio.create_task(self._give_until_in_force())

    async def _give_until_in_force(self) -> None:
        in_force = False
        with contextlib.suppress(ConnectionError):  # the next process is given it at its start
            while not in_force:
                await asyncio.sleep(_GIVE_AGAIN_SECONDS)
                with contextlib.suppress(TimeoutError):
                    in_force = not (await self._ask_to_accept())["problem"]

    async def _ask_to_accept(self) -> dict[str, object]:
        content: dict[str, object] = {"catalogue": self._catalogue.model_dump(mode="json")}
        return await self._ask("catalogue", content, self._seconds.catalogue)

    def _close_link(self) -> None:
        if self._writer is not None:
            self._writer.close()
        self._writer, self._serves = None, False

    async def _kill(self) -> None:
        self._close_link()
        if self._process is not None and self._process.returncode is None:
            await self._process.kill()

    async def _keep_alive(self) -> None:
        while self._process is not None:
            code = await self._process.over(self._memory_kills.look)
            if self._stopping:
                return
            why = self._memory_kills.reason("worker") if code == -signal.SIGKILL else ""
            facts = {"worker": self._index, "exit_code": code} | ({"reason": why} if why else {})
            _LOG.error("a worker ended; it is started again", extra=facts)
            self._counters.end_process()
            await self._free_memory(worker_memory_prefix(self._settings, self._process.pid))
            await asyncio.sleep(_RESTART_SECONDS)
            try:
                await self._spawn()
            except (OSError, TimeoutError, WorkerNotStarted) as error:
                _LOG.error("a worker does not start", extra={"worker": self._index, "reason": _reason(error)})
                self._note_failure(error)
                await self._kill()  # what is half started is ended, and started again

    async def _free_memory(self, prefix: str) -> None:
        remove_stale_regions(prefix)
        try:
            await self._forget_regions(prefix)
        except GatewayError as error:  # a Triton that is away is asked again when it is back
            _LOG.warning("Triton was not told of a worker's end", extra={"worker": self._index, "reason": str(error)})

    async def _read(self, reader: asyncio.StreamReader) -> None:
        with contextlib.suppress(ConnectionError):  # of a process that dies with a question unread
            while line := await reader.readline():
                self._take(json.loads(line))
        self._close_link()
        for waiting in self._answers.values():
            if not waiting.done():
                waiting.set_exception(ConnectionError("the worker is gone"))

    def _take(self, message: dict[str, Any]) -> None:
        if message["kind"] == "lost":
            self._on_instance_lost(InstanceLost(message["build"], message["reason"]))
        else:
            waiting = self._answers.pop(message["id"], None)
            if waiting is not None and not waiting.done():
                waiting.set_result(message)

    async def _ask(
        self, kind: str, content: dict[str, object], timeout_seconds: float | None = None
    ) -> dict[str, object]:
        if self._writer is None or not (self._serves or kind == "start"):
            raise ConnectionError("the worker is being started")
        answer: asyncio.Future[dict[str, object]] = asyncio.get_running_loop().create_future()
        number = next(self._asked)
        self._answers[number] = answer
        self._writer.write(json.dumps({"kind": kind, "id": number, **content}).encode() + b"\n")
        try:
            return await asyncio.wait_for(answer, timeout_seconds or self._seconds.other)
        finally:
            self._answers.pop(number, None)

    async def accept(self, catalogue: Catalogue) -> None:
        """Put a catalogue in force; a worker that is being started again gets it then, a slow one once more.

        Raises:
            TritonUnavailable: The worker's memory could not be registered; give the catalogue again.
        """
        self._catalogue = catalogue
        try:
            answer = await self._ask_to_accept()
        except (ConnectionError, TimeoutError) as error:
            _LOG.warning("a worker missed a catalogue", extra={"worker": self._index, "reason": _what(error)})
            if isinstance(error, TimeoutError):
                self._give_again()
            return
        if answer["problem"]:
            raise TritonUnavailable(str(answer["problem"]))

    async def metrics_texts(self) -> tuple[str, ...]:
        """Its metrics; what it counted last while it does not answer, and what its earlier processes had counted."""
        with contextlib.suppress(ConnectionError, TimeoutError):
            self._counters.tell(str((await self._ask("metrics", {}))["text"]))
        return self._counters.texts()

    async def status(self) -> WorkerStatus:
        """How it reaches Triton."""
        try:
            answer = await self._ask("status", {})
        except (ConnectionError, TimeoutError):
            return WorkerStatus(0, shared_memory=False, shared_memory_reason="the worker is being started again")
        status = TypeAdapter(WorkerStatus).validate_python(answer["status"])
        self._gpu_lost = status.device_lost
        return status

    async def end_process(self) -> None:
        """Finish the requests in work and end the process, which is killed if that takes long; another is started.

        That one tries the GPU again, also where one before it did not start with it.
        """
        process = self._process
        await self.metrics_texts()  # what it counts goes with it
        if process is not None and process is self._process:  # it may have ended by itself
            self._not_with_gpu = ""
            await self._end(process)

    async def _end(self, process: EndableProcess) -> None:
        self._close_link()
        await process.end(self._settings.drain_seconds + _STOP_SECONDS)

    async def stop(self) -> None:
        """Finish the requests in work and end."""
        self._stopping = True
        if self._process is not None:
            await self._end(self._process)
        for task in (self._watch, self._giving):
            if task is not None:
                task.cancel()


def _reason(error: Exception) -> str:
    return str(error) if isinstance(error, WorkerNotStarted) else f"{_what(error)}; what it said itself stands above"


def _what(error: Exception) -> str:
    return "it does not answer" if isinstance(error, TimeoutError) else str(error) or type(error).__name__
