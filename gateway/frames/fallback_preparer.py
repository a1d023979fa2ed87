"""Frames go to the GPU as long as there is one."""

from collections.abc import Callable

from contracts.model_card import InputSpec
from gateway.errors import DeviceLost
from gateway.frame_memory import FrameMemory
from gateway.frames.preparer import FramePreparer
from gateway.prepared_input import PreparedInput
from gateway.transport import Transport


class FallbackPreparer:
    """``FramePreparer`` on the GPU until it is lost, from then on on the CPU.

    The frames that are in work at that moment fail: what became of their slots is not known.

    Args:
        device: Prepares on the GPU.
        host: Prepares on the CPU.
        on_lost: Told once, when the GPU is lost.
        only_into_its_memory: Of a GPU that works, too, only frames whose slot lies on it go there.
    """

    def __init__(
        self,
        device: FramePreparer,
        host: FramePreparer,
        on_lost: Callable[[DeviceLost], None],
        *,
        only_into_its_memory: bool = False,
    ) -> None:
        self._device = device
        self._host = host
        self._on_lost = on_lost
        self._only_into_its_memory = only_into_its_memory
        self._lost = ""

    async def prepare(
        self, frame: bytes | memoryview, spec: InputSpec, memory: FrameMemory, slot: int
    ) -> PreparedInput:
        """Prepare where it is possible.

        Raises:
            vision.errors.ImageError: The bytes are not a usable picture.
            DeviceLost: Now, or before, and the slot lies on the GPU.
            DeviceMemoryFull, DeviceRefused: See ``FramePreparer``.
        """
        lies_there = memory.transport is Transport.CUDA
        if not self._lost and (lies_there or not self._only_into_its_memory):
            try:
                return await self._device.prepare(frame, spec, memory, slot)
            except DeviceLost as error:
                self.lose(error.reason)
                raise
        if lies_there:
            raise DeviceLost(self._lost)
        return await self._host.prepare(frame, spec, memory, slot)

    def lose(self, reason: str) -> None:
        """From this call on the CPU prepares frames.

        Args:
            reason: Why the GPU is not used any more.
        """
        if not self._lost:
            self._lost = reason  # not the error: its traceback holds memory of the GPU
            self._on_lost(DeviceLost(reason))
