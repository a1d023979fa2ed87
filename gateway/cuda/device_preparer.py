"""Frames become tensors on a GPU, several with one launch."""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from functools import partial
from typing import Protocol

from contracts.model_card import InputSpec
from gateway.cuda.frame_reader import FrameReader
from gateway.cuda.waiting_frame import PlacedFrame, WaitingFrame, take_batch
from gateway.frame_memory import FrameMemory
from gateway.prepared_input import PreparedInput
from gateway.thread_work import finish

BATCH_BYTES = 64 * 2**20
"""Pixels that one launch reads at most, unless a single frame has more."""


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

    Args:
        lanes: Streams of the GPU; each gets a thread.
        reader: Reads frames.
        executor: Threads for it.
        batch: So many frames at most in one launch.
        on_prepared: Told of each frame whether the GPU has decoded it.
    """

    def __init__(
        self,
        lanes: Sequence[Lane],
        reader: FrameReader,
        executor: Executor,
        *,
        batch: int,
        on_prepared: Callable[[bool], None] = lambda _: None,
    ) -> None:
        self._threads = [ThreadPoolExecutor(1, thread_name_prefix="gpu") for _ in lanes]
        self._idle = deque(zip(lanes, self._threads, strict=True))
        self._reader = reader
        self._executor = executor
        self._batch = batch
        self._on_prepared = on_prepared
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
                await asyncio.wait([placed])
            raise

    def _dispatch(self) -> None:
        while self._waiting and self._idle:
            lane, thread = self._idle.popleft()
            batch = take_batch(self._waiting, self._batch, BATCH_BYTES)
            work = asyncio.get_running_loop().run_in_executor(thread, lane.place, batch)
            work.add_done_callback(partial(self._end_batch, lane, thread, batch))

    def _end_batch(
        self,
        lane: Lane,
        thread: ThreadPoolExecutor,
        batch: list[WaitingFrame],
        work: "asyncio.Future[list[PlacedFrame | None]]",
    ) -> None:
        self._idle.append((lane, thread))
        error = work.exception()
        results = [None] * len(batch) if error is not None else work.result()
        for frame, result in zip(batch, results, strict=True):
            placed = self._placed.pop(frame)
            if error is None:
                placed.set_result(result)
            else:
                placed.set_exception(error)
                placed.exception()  # a caller who went away does not ask for it
        self._dispatch()

    def close(self) -> None:
        """End the threads, when no frame is in work."""
        for thread in self._threads:
            thread.shutdown(wait=False)
