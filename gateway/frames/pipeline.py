"""One frame: a place, decode and letterbox into a slot, Triton, NMS or the best classes."""

import asyncio
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Protocol, TypeVar

import numpy as np

from contracts.model_card import ModelCard
from gateway.device_output import ModelOutput, on_host
from gateway.errors import DeadlineExceeded, DeviceLost, InstanceLost, InvalidModelOutput, RegionLost, TritonRejected
from gateway.frame_memory import FrameMemory
from gateway.frames.admission import Admission
from gateway.frames.classification import decode_classes
from gateway.frames.decoding import Decoder
from gateway.frames.frame_events import FrameEvents
from gateway.frames.preparation import prepared_alike
from gateway.frames.preparer import FramePreparer
from gateway.messages import CascadeFrame, CascadeTask, FrameClasses, FrameDetections, FrameTask, StageTimes
from gateway.prepared_input import PreparedInput
from gateway.thread_work import finish
from vision.letterbox import Placement

_MOST_RETRIES = 4
_LONGEST_INFERENCE_SECONDS = 60.0
_LONGEST_READING_SECONDS = 30.0
# after one of these Triton is done with the request
_ANSWERS = (InstanceLost, RegionLost, InvalidModelOutput, TritonRejected)
_T = TypeVar("_T")


class FrameBackend(Protocol):
    """Runs a prepared slot through a build."""

    async def infer(
        self, build: str, card: ModelCard, memory: FrameMemory, slot: int, timeout_seconds: float
    ) -> ModelOutput:
        """Return the card's output without the batch axis."""
        ...


class MemorySource(Protocol):
    """Has the memory that frames are prepared in."""

    @property
    def current(self) -> FrameMemory:
        """The memory to take a slot of now."""
        ...

    async def register_again(self, memory: FrameMemory) -> None:
        """Make Triton know a region that it has lost."""
        ...

    def leave(self, memory: FrameMemory) -> None:
        """Give no slot of this memory to another frame: Triton may still write into one."""
        ...


class FramePipeline:
    """The path of one frame, six stages without gaps between them.

    A caller who goes away, or whose time is over, gets his answer at once. His frame leaves the queue then, but
    once it was sent to Triton it keeps its place until Triton is done with it: Triton goes on with it anyway, and
    giving the place away would let more and more work pile up there.

    Every path raises:
        QueueFull, DeadlineExceeded: Too much is asked, or too quickly.
        vision.errors.ImageError: The bytes are not a usable picture.
        BackendError: Triton could not answer.

    Args:
        admission: Bounds the frames in work.
        regions: Where slots come from.
        backend: Triton.
        preparer: Decodes and letterboxes.
        events: Told what happens.
        reading_seconds: Reading an output takes no longer on a GPU that works.
        clock: Monotonic seconds.
    """

    def __init__(
        self,
        admission: Admission,
        regions: MemorySource,
        backend: FrameBackend,
        preparer: FramePreparer,
        *,
        events: FrameEvents,
        reading_seconds: float = _LONGEST_READING_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._admission = admission
        self._regions = regions
        self._backend = backend
        self._preparer = preparer
        self._events = events
        self._reading_seconds = reading_seconds
        self._clock = clock
        self._decoders: dict[str, tuple[ModelCard, Decoder]] = {}

    def detect(self, frame: bytes | memoryview, task: FrameTask) -> Coroutine[Any, Any, FrameDetections]:
        """Find what is in one frame, given as JPEG, PNG, WebP or BMP bytes."""
        return self._in_time(partial(self._run, frame, task, self._detections), task.deadline_at)

    def classify(self, frame: bytes | memoryview, task: FrameTask) -> Coroutine[Any, Any, FrameClasses]:
        """Say what one frame is."""
        return self._in_time(partial(self._run, frame, task, _classes), task.deadline_at)

    def cascade(self, frame: bytes | memoryview, task: CascadeTask) -> Coroutine[Any, Any, CascadeFrame]:
        """Classify one frame, and look into it unless its class says that there is no need; in one place."""
        return self._in_time(partial(self._run_cascade, frame, task), task.first.deadline_at)

    async def _in_time(self, work_in: "_WorkInPlace[_T]", deadline_at: float) -> _T:
        progress = _Progress()
        work = asyncio.create_task(self._hold_place(work_in, deadline_at, progress))
        try:
            await asyncio.wait([work], timeout=max(0.0, deadline_at - self._clock()))
        except asyncio.CancelledError:
            _abandon(work, progress)
            raise
        if not work.done():
            _abandon(work, progress)
            raise DeadlineExceeded(progress.stage)
        return work.result()

    async def _hold_place(self, work_in: "_WorkInPlace[_T]", deadline_at: float, progress: "_Progress") -> _T:
        async with self._admission.slot(deadline_at):
            memory = self._regions.current
            slot = memory.acquire()
            try:
                return await work_in(_Place(memory, slot, progress))
            finally:
                if progress.unanswered and memory.output_bytes:
                    self._regions.leave(memory)
                memory.release(slot)

    async def _run(self, frame: bytes | memoryview, task: FrameTask, read: "_Read[_T]", place: "_Place") -> _T:
        return await self._answer(task, await self._prepare(frame, task, place), read, place)

    async def _run_cascade(self, frame: bytes | memoryview, task: CascadeTask, place: "_Place") -> CascadeFrame:
        prepared = await self._prepare(frame, task.first, place)
        verdict = await self._answer(task.first, prepared, _classes, place)
        if task.skips(verdict):
            return CascadeFrame(verdict, None)
        if place.progress.abandoned:
            raise DeadlineExceeded("infer")
        now = self._clock()
        then = replace(task.then, arrived_at=now)
        if prepared_alike(task.first.card.input, then.card.input):
            prepared = PreparedInput(prepared.placement, 0.0, now, now)  # the tensor is in the slot already
        else:
            prepared = await self._prepare(frame, then, place)
        return CascadeFrame(verdict, await self._answer(then, prepared, self._detections, place))

    async def _prepare(self, frame: bytes | memoryview, task: FrameTask, place: "_Place") -> PreparedInput:
        place.progress.stage = "decode"
        return await self._preparer.prepare(frame, task.card.input, place.memory, place.slot)

    async def _answer(self, task: FrameTask, prepared: PreparedInput, read: "_Read[_T]", place: "_Place") -> _T:
        place.progress.stage = "infer"
        output = await self._infer(task, place)
        inferred_at = self._clock()

        def times() -> StageTimes:
            return StageTimes(
                queue=prepared.began_at - task.arrived_at,
                decode=prepared.decode_seconds,
                letterbox=prepared.done_at - prepared.began_at - prepared.decode_seconds,
                infer=inferred_at - prepared.done_at,
                postprocess=self._clock() - inferred_at,
            )

        if isinstance(output, np.ndarray):
            return read(task, output, prepared.placement, times)
        reading = self._read_beside(partial(read, task, output, prepared.placement, times))
        try:
            return await finish(asyncio.create_task(reading))
        except DeviceLost as error:
            self._events.device_lost(error)
            raise

    async def _read_beside(self, read: Callable[[], _T]) -> _T:
        """It waits for the GPU, which may be for ever: its slot is kept, for the GPU may read it until then."""
        reading = asyncio.create_task(asyncio.to_thread(read))
        done, _ = await asyncio.wait([reading], timeout=self._reading_seconds)
        if not done:
            reason = f"an output was not read after {self._reading_seconds:g} s; its frame keeps its place until it is"
            self._events.device_lost(DeviceLost(reason))
        return await reading

    async def _infer(self, task: FrameTask, place: "_Place") -> ModelOutput:
        """Inference has no effects: what a dead instance could not answer, another one may."""
        for _ in range(_MOST_RETRIES):
            try:
                return await self._infer_once(task, place)
            except InstanceLost as error:
                self._events.instance_lost(error)
            except RegionLost:
                await self._regions.register_again(place.memory)
            if place.progress.abandoned:
                raise DeadlineExceeded("infer")
            self._events.retried(task.build)
        return await self._infer_once(task, place)

    async def _infer_once(self, task: FrameTask, place: "_Place") -> ModelOutput:
        seconds = _LONGEST_INFERENCE_SECONDS
        try:
            output = await self._backend.infer(task.build, task.card, place.memory, place.slot, seconds)
        except _ANSWERS:
            raise
        except BaseException:
            place.progress.unanswered = True
            raise
        self._events.executed(task.name, task.build)
        return output

    def _detections(
        self, task: FrameTask, output: ModelOutput, placement: Placement, times: Callable[[], StageTimes]
    ) -> FrameDetections:
        boxes, scores, classes = self._decoder(task.card).decode(output, placement, task.threshold)
        return FrameDetections(boxes, scores, classes, placement.frame_width, placement.frame_height, times())

    def _decoder(self, card: ModelCard) -> Decoder:
        known = self._decoders.get(card.build)
        if known is None or known[0] is not card:
            known = self._decoders[card.build] = (card, Decoder(card))
        return known[1]


def _classes(
    task: FrameTask, output: ModelOutput, placement: Placement, times: Callable[[], StageTimes]
) -> FrameClasses:
    probabilities, order, confident = decode_classes(task.card, on_host(output), task.threshold)
    return FrameClasses(probabilities, order, confident, placement.frame_width, placement.frame_height, times())


@dataclass(slots=True)
class _Progress:
    """How far the work on a frame has come, for the caller who may not wait for its end.

    Attributes:
        stage: What is done.
        abandoned: Nobody waits for the answer any more.
        unanswered: Triton was asked and did not answer, so that it may still run the model.
    """

    stage: str = "queue"
    abandoned: bool = False
    unanswered: bool = False


@dataclass(frozen=True, slots=True)
class _Place:
    """What a frame holds while it is in work."""

    memory: FrameMemory
    slot: int
    progress: _Progress


_WorkInPlace = Callable[[_Place], Coroutine[Any, Any, _T]]
_Read = Callable[[FrameTask, ModelOutput, Placement, Callable[[], StageTimes]], _T]


def _abandon(work: "asyncio.Task[_T]", progress: _Progress) -> None:
    progress.abandoned = True
    if progress.stage == "infer":
        work.add_done_callback(lambda done: done.cancelled() or done.exception())  # nobody asks for it any more
    else:
        work.cancel()
