"""One frame: a place, decode and letterbox into a slot, Triton, NMS."""

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from contracts.model_card import ModelCard
from gateway.errors import DeadlineExceeded, InstanceLost, RegionLost
from gateway.frame_memory import FrameMemory
from gateway.frames.admission import Admission
from gateway.frames.decoding import Decoder
from gateway.frames.preparation import prepare_input
from gateway.messages import FrameDetections, FrameTask, StageTimes
from vision.prepare import PreparedFrame

_MOST_RETRIES = 4
_LONGEST_INFERENCE_SECONDS = 60.0
_T = TypeVar("_T")
_DATATYPES: dict[str, type[np.uint8 | np.float32]] = {"UINT8": np.uint8, "FP32": np.float32}


class FrameBackend(Protocol):
    """Runs a prepared slot through a build."""

    async def infer(
        self, build: str, card: ModelCard, memory: FrameMemory, slot: int, timeout_seconds: float
    ) -> NDArray[np.float32]:
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


class FramePipeline:
    """The path of one frame, six stages without gaps between them.

    Args:
        admission: Bounds the frames in work.
        regions: Where slots come from.
        backend: Triton.
        executor: Threads for decode and letterbox, which release the GIL.
        max_pixels: Largest frame.
        on_instance_lost: Told about each instance that died under a frame.
        on_retry: Told about each frame that is sent again.
        clock: Monotonic seconds.
    """

    def __init__(
        self,
        admission: Admission,
        regions: MemorySource,
        backend: FrameBackend,
        executor: Executor,
        *,
        max_pixels: int,
        on_instance_lost: Callable[[InstanceLost], None],
        on_retry: Callable[[str], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._admission = admission
        self._regions = regions
        self._backend = backend
        self._executor = executor
        self._max_pixels = max_pixels
        self._on_instance_lost = on_instance_lost
        self._on_retry = on_retry
        self._clock = clock
        self._decoders: dict[str, tuple[ModelCard, Decoder]] = {}

    async def detect(self, frame: bytes | memoryview, task: FrameTask) -> FrameDetections:
        """Find what is in one frame.

        A caller who goes away, or whose time is over, gets his answer at once. His frame leaves the queue then, but
        once it was sent to Triton it keeps its place until Triton is done with it: Triton goes on with it anyway, and
        giving the place away would let more and more work pile up there.

        Args:
            frame: JPEG, PNG, WebP or BMP bytes.
            task: Which build, and by when.

        Raises:
            QueueFull, DeadlineExceeded: Too much is asked, or too quickly.
            vision.errors.ImageError: The bytes are not a usable picture.
            BackendError: Triton could not answer.
        """
        progress = _Progress()
        work = asyncio.create_task(self._hold_place(frame, task, progress))
        try:
            await asyncio.wait([work], timeout=max(0.0, task.deadline_at - self._clock()))
        except asyncio.CancelledError:
            _abandon(work, progress)
            raise
        if not work.done():
            _abandon(work, progress)
            raise DeadlineExceeded(progress.stage)
        return work.result()

    async def _hold_place(self, frame: bytes | memoryview, task: FrameTask, progress: "_Progress") -> FrameDetections:
        async with self._admission.slot(task.deadline_at):
            memory = self._regions.current
            slot = memory.acquire()
            try:
                return await self._run(frame, task, memory, slot, progress)
            finally:
                memory.release(slot)

    async def _run(
        self, frame: bytes | memoryview, task: FrameTask, memory: FrameMemory, slot: int, progress: "_Progress"
    ) -> FrameDetections:
        progress.stage = "decode"
        work = asyncio.get_running_loop().run_in_executor(self._executor, self._prepare, frame, task, memory, slot)
        prepared, began_at, prepared_at = await _finish(work)
        progress.stage = "infer"
        output = await self._infer(task, memory, slot, progress)
        inferred_at = self._clock()
        placement = prepared.placement
        boxes, scores, classes = self._decoder(task.card).decode(output, placement, task.threshold)
        times = StageTimes(
            queue=began_at - task.arrived_at,
            decode=prepared.decode_seconds,
            letterbox=prepared_at - began_at - prepared.decode_seconds,
            infer=inferred_at - prepared_at,
            postprocess=self._clock() - inferred_at,
        )
        return FrameDetections(boxes, scores, classes, placement.frame_width, placement.frame_height, times)

    def _prepare(
        self, frame: bytes | memoryview, task: FrameTask, memory: FrameMemory, slot: int
    ) -> tuple[PreparedFrame, float, float]:
        began_at = self._clock()
        spec = task.card.input
        out = memory.array(slot, spec.shape, _DATATYPES[spec.datatype])
        prepared = prepare_input(frame, spec, out, self._max_pixels)
        return prepared, began_at, self._clock()

    async def _infer(
        self, task: FrameTask, memory: FrameMemory, slot: int, progress: "_Progress"
    ) -> NDArray[np.float32]:
        """Inference has no effects: what a dead instance could not answer, another one may."""
        for _ in range(_MOST_RETRIES):
            try:
                return await self._backend.infer(task.build, task.card, memory, slot, _LONGEST_INFERENCE_SECONDS)
            except InstanceLost as error:
                self._on_instance_lost(error)
            except RegionLost:
                await self._regions.register_again(memory)
            if progress.abandoned:
                raise DeadlineExceeded("infer")
            self._on_retry(task.build)
        return await self._backend.infer(task.build, task.card, memory, slot, _LONGEST_INFERENCE_SECONDS)

    def _decoder(self, card: ModelCard) -> Decoder:
        known = self._decoders.get(card.build)
        if known is None or known[0] is not card:
            known = self._decoders[card.build] = (card, Decoder(card))
        return known[1]


@dataclass(slots=True)
class _Progress:
    """How far the work on a frame has come, for the caller who may not wait for its end."""

    stage: str = "queue"
    abandoned: bool = False


def _abandon(work: "asyncio.Task[FrameDetections]", progress: _Progress) -> None:
    progress.abandoned = True
    if progress.stage == "infer":
        work.add_done_callback(lambda done: done.cancelled() or done.exception())  # nobody asks for it any more
    else:
        work.cancel()


async def _finish(work: "asyncio.Future[_T]") -> _T:
    """Wait for a thread even when the caller is cancelled: its slot must not be reused while it still writes."""
    try:
        return await asyncio.shield(work)
    except asyncio.CancelledError:
        await asyncio.wait([work])
        raise
