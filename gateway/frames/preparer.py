"""From a compressed frame to the tensor in its slot: the step that a GPU can do too."""

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import Executor
from typing import Protocol

import numpy as np

from contracts.model_card import InputSpec
from gateway.frame_memory import FrameMemory, HostFrameMemory
from gateway.frames.preparation import prepare_input
from gateway.prepared_input import PreparedInput
from gateway.thread_work import finish

_DATATYPES: dict[str, type[np.uint8 | np.float32]] = {"UINT8": np.uint8, "FP32": np.float32}


class FramePreparer(Protocol):
    """Decodes a frame and writes it into a slot as a card's input asks."""

    async def prepare(
        self, frame: bytes | memoryview, spec: InputSpec, memory: FrameMemory, slot: int
    ) -> PreparedInput:
        """Return when the tensor is whole, and not before nobody writes to the slot any more, also when cancelled.

        Raises:
            vision.errors.ImageError: The bytes are not a usable picture.
            DeviceMemoryFull, DeviceLost, DeviceRefused: The GPU, where one is used.
        """
        ...


class HostPreparer:
    """``FramePreparer`` on the CPU.

    Args:
        executor: Threads for decode and letterbox, which release the GIL.
        max_pixels: Largest frame.
        clock: Monotonic seconds.
    """

    def __init__(self, executor: Executor, *, max_pixels: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._executor = executor
        self._max_pixels = max_pixels
        self._clock = clock

    async def prepare(
        self, frame: bytes | memoryview, spec: InputSpec, memory: FrameMemory, slot: int
    ) -> PreparedInput:
        """Prepare in a slot of the machine's memory.

        Raises:
            vision.errors.ImageError: The bytes are not a usable picture.
            TypeError: The slot lies on a GPU.
        """
        if not isinstance(memory, HostFrameMemory):
            raise TypeError(f"the CPU prepares in the machine's memory, not in {memory.transport.value}")
        loop = asyncio.get_running_loop()
        return await finish(loop.run_in_executor(self._executor, self._write_input, frame, spec, memory, slot))

    def _write_input(
        self, frame: bytes | memoryview, spec: InputSpec, memory: HostFrameMemory, slot: int
    ) -> PreparedInput:
        began_at = self._clock()
        out = memory.array(slot, spec.shape, _DATATYPES[spec.datatype])
        prepared = prepare_input(frame, spec, out, self._max_pixels)
        return PreparedInput(prepared.placement, prepared.decode_seconds, began_at, self._clock())
