"""Frames become tensors on a GPU, several with one launch."""

import asyncio
import contextlib
import logging
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from functools import partial
from typing import Protocol

from contracts.model_card import InputSpec
from gateway.cuda.batch_failures import BatchFailures, own_error
from gateway.cuda.frame_reader import FrameReader
from gateway.cuda.waiting_frame import PlacedFrame, WaitingFrame, take_batch
from gateway.errors import DeviceLost
from gateway.frame_memory import FrameMemory
from gateway.prepared_input import PreparedInput
from gateway.thread_work import finish

BATCH_BYTES = 64 * 2**20
"""Pixels that one launch reads at most, unless a single frame has more, or the GPU's memory is said to allow more."""

_LOG = logging.getLogger(__name__)
_BATCH_SECONDS = 30.0


class Lane(Protocol):
    """Places batches, one at a time."""

    def place(self, batch: Sequence[WaitingFrame]) -> list[PlacedFrame | None]:
        """Write each frame's tensor into its slot; None where the GPU could not decode one."""
        ...


class DevicePreparer:
    """``FramePreparer`` on a GPU.

    A frame is decoded by the CPU, reduced as far as the input allows, and uploaded; or by the GPU, where there is a
    decoder that takes it. Frames that wait for a free lane are placed by its next launch, all together; no frame waits
    for others to come.

    A batch that is not done in time is taken for a lost GPU: frames that wait, and those that come, fail. Its own
    frames keep their slots until it is done, for the GPU may write to them until then.

    Args:
        lanes: Streams of the GPU; each gets a thread.
        reader: Reads frames.
        executor: Threads for it.
        batch: So many frames at most in one launch.
        batch_bytes: So many bytes of pixels at most in one launch; one frame may have more.
        batch_seconds: A batch takes no longer on a GPU that works.
        on_prepared: Told of each frame whether the GPU has decoded it.
        clock: Monotonic seconds.
    """

    def __init__(
        self,
        lanes: Sequence[Lane],
        reader: FrameReader,
        executor: Executor,
        *,
        batch: int,
        batch_bytes: int = BATCH_BYTES,
        batch_seconds: float = _BATCH_SECONDS,
        on_prepared: Callable[[bool], None] = lambda _: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._threads = [ThreadPoolExecutor(1, thread_name_prefix="gpu") for _ in lanes]
        self._idle = deque(zip(lanes, self._threads, strict=True))
        self._reader = reader
        self._executor = executor
        self._batch = batch
        self._batch_bytes = batch_bytes
        self._batch_seconds = batch_seconds
        self._on_prepared = on_prepared
        self._failures = BatchFailures(clock)
        self._stuck = ""
        self._when_stuck: Callable[[DeviceLost], None] = lambda _: None
        self._waiting: deque[WaitingFrame] = deque()
        self._placed: dict[WaitingFrame, asyncio.Future[PlacedFrame | None]] = {}

    async def prepare(
        self, frame: bytes | memoryview, spec: InputSpec, memory: FrameMemory, slot: int
    ) -> PreparedInput:
        """Prepare in a slot of the GPU's memory, or of the machine's, into which the tensor is copied then.

        Raises:
            vision.errors.ImageError: The bytes are not a usable picture.
            DeviceMemoryFull, DeviceLost, DeviceRefused: The GPU.
        """
        if self._stuck:
            raise DeviceLost(self._stuck)
        waiting = WaitingFrame(frame, spec, memory, slot)
        try:
            await self._in_thread(partial(self._reader.read, waiting))
            placed = await self._place(waiting)
            if placed is None:
                await self._in_thread(partial(self._reader.decode, waiting))
                placed = await self._place(waiting)
            on_device = waiting.block is None
        finally:
            self._reader.forget(waiting)
        assert placed is not None, "decoded pixels need no decoder"  # noqa: S101 - for the type checker
        self._on_prepared(on_device)
        decode_seconds = waiting.decode_seconds + placed.decode_seconds
        return PreparedInput(placed.placement, decode_seconds, waiting.began_at, placed.done_at)

    async def _in_thread(self, call: Callable[[], None]) -> None:
        await finish(asyncio.get_running_loop().run_in_executor(self._executor, call))

    async def _place(self, frame: WaitingFrame) -> PlacedFrame | None:
        if self._stuck:
            raise DeviceLost(self._stuck)
        placed = self._placed[frame] = asyncio.get_running_loop().create_future()
        self._waiting.append(frame)
        self._dispatch()
        try:
            return await asyncio.shield(placed)
        except asyncio.CancelledError:
            if frame in self._waiting:
                self._waiting.remove(frame)
                del self._placed[frame]
            else:
                with contextlib.suppress(Exception):
                    await finish(placed)
            raise

    def _dispatch(self) -> None:
        while self._waiting and self._idle:
            lane, thread = self._idle.popleft()
            batch = take_batch(self._waiting, self._batch, self._batch_bytes)
            loop = asyncio.get_running_loop()
            work = loop.run_in_executor(thread, lane.place, batch)
            work.add_done_callback(partial(self._end_batch, lane, thread, batch))
            watch = loop.call_later(self._batch_seconds, self._give_up, len(batch))
            work.add_done_callback(partial(_stop, watch))

    def _give_up(self, frames: int) -> None:
        self._stuck = (
            f"a batch of {frames} frames was not done after {self._batch_seconds:g} s; they keep their places until"
            " their worker is replaced; with one worker, restart the gateway"
        )
        _LOG.error("the GPU does not get done", extra={"reason": self._stuck})
        while self._waiting:
            self._fail(self._waiting.popleft(), DeviceLost(self._stuck))
        self._when_stuck(DeviceLost(self._stuck))  # the batch may have every place there is, so that no frame comes

    def _fail(self, frame: WaitingFrame, error: BaseException) -> None:
        placed = self._placed.pop(frame)
        placed.set_exception(error)
        placed.exception()  # a caller who went away does not ask for it

    def _end_batch(
        self,
        lane: Lane,
        thread: ThreadPoolExecutor,
        batch: list[WaitingFrame],
        work: "asyncio.Future[list[PlacedFrame | None]]",
    ) -> None:
        self._idle.append((lane, thread))
        error = self._failures.judge(work.exception())
        if error is not None:
            for frame in batch:
                self._fail(frame, own_error(error))
        else:
            for frame, result in zip(batch, work.result(), strict=True):
                self._placed.pop(frame).set_result(result)
        self._dispatch()

    def when_stuck(self, tell: Callable[[DeviceLost], None]) -> None:
        """Who is told when a batch is not done in time."""
        self._when_stuck = tell

    @property
    def is_stuck(self) -> bool:
        """Whether a batch has not been done in time; whoever asks its GPU for something may wait for ever."""
        return bool(self._stuck)

    def close(self) -> None:
        """End the threads, when no frame is in work."""
        for thread in self._threads:
            thread.shutdown(wait=False)
        if not self._stuck:
            self._idle.clear()


def _stop(watch: asyncio.TimerHandle, _work: "asyncio.Future[list[PlacedFrame | None]]") -> None:
    watch.cancel()
