"""How quickly a preparer prepares frames that come at one time."""

import asyncio
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future

import numpy as np
import simplejpeg

from contracts.model_card import InputSpec
from gateway.frame_memory import FrameMemory, HostFrameMemory
from gateway.frames.preparer import FramePreparer

FRAME_WH = (1920, 1080)
_SPEC = InputSpec(width=640, height=640)
_AT_ONE_TIME = 16
_ROUNDS = 4
_MOST_SECONDS = 30.0

MemoryMaker = Callable[[int, int], FrameMemory]
"""Makes memory of so many slots, and bytes of each."""


def memory_of_the_machine(slots: int, slot_bytes: int) -> FrameMemory:
    """Private memory that the CPU writes to."""
    return HostFrameMemory(None, slots, slot_bytes)


def seconds_per_frame(
    preparer: FramePreparer,
    make_memory: MemoryMaker,
    *,
    frame_wh: tuple[int, int] = FRAME_WH,
    spec: InputSpec = _SPEC,
    most_seconds: float = _MOST_SECONDS,
    clock: Callable[[], float] = time.perf_counter,
) -> float:
    """Prepare JPEGs of a usual size, sixteen at one time, in the quickest of a few rounds.

    Args:
        preparer: Has no frame in work.
        make_memory: Where the tensors go.
        frame_wh: Width and height of the JPEGs.
        spec: What they become.
        most_seconds: For all of it.
        clock: Monotonic seconds.

    Raises:
        TimeoutError: It takes longer.
        DeviceMemoryFull, DeviceLost, DeviceRefused: The GPU, or memory on it, where one is used.
    """
    measured: Future[float] = Future()

    def measure() -> None:
        try:
            memory = make_memory(_AT_ONE_TIME, spec.size_bytes)
            measured.set_result(asyncio.run(_quickest_round(preparer, _picture(frame_wh), spec, memory, clock)))
        except BaseException as error:  # noqa: BLE001 - it is raised where the result is asked for
            measured.set_exception(error)

    threading.Thread(target=measure, name="measures", daemon=True).start()  # a GPU that hangs would hold any other
    try:
        return measured.result(most_seconds)
    except TimeoutError as error:
        raise TimeoutError(f"it took longer than {most_seconds:g} s") from error


async def _quickest_round(
    preparer: FramePreparer, picture: bytes, spec: InputSpec, memory: FrameMemory, clock: Callable[[], float]
) -> float:
    async def prepare() -> None:
        slot = memory.acquire()
        try:
            await preparer.prepare(picture, spec, memory, slot)
        finally:
            memory.release(slot)

    took = []
    try:
        for _ in range(_ROUNDS):
            began_at = clock()
            await asyncio.gather(*(prepare() for _ in range(_AT_ONE_TIME)))
            took.append(clock() - began_at)
    finally:
        memory.retire()  # it goes with the last frame, also where one has failed
    return min(took) / _AT_ONE_TIME


def _picture(frame_wh: tuple[int, int]) -> bytes:
    """A JPEG with as much in it as a photograph has."""
    width, height = frame_wh
    rows, columns = np.mgrid[0:height, 0:width]
    waves = 90 * np.sin(rows / 37) * np.cos(columns / 53) + np.random.default_rng(0).normal(0, 8, (height, width))
    pixels = np.stack([128 + waves, 118 - waves, 100 + waves / 2], axis=-1).clip(0, 255).astype(np.uint8)
    return bytes(simplejpeg.encode_jpeg(pixels, quality=90, colorsubsampling="420"))
