"""The parts that prepare frames on one GPU, put together."""

import logging
from collections.abc import Callable
from concurrent.futures import Executor
from contextlib import suppress

import numpy as np

from gateway.cuda.batch_lane import BatchLane, DeviceDecoder
from gateway.cuda.batch_room import batch_bytes
from gateway.cuda.device import CudaDevice
from gateway.cuda.device_frame_memory import DeviceFrameMemory
from gateway.cuda.device_outputs import DeviceOutputs
from gateway.cuda.device_preparer import DevicePreparer
from gateway.cuda.frame_reader import FrameReader
from gateway.cuda.jpeg_decoder import JpegDecoder, why_no_jpeg_decoder
from gateway.cuda.profiler_ranges import profiler_ranges
from gateway.cuda.repeated_work import RepeatedWork
from gateway.cuda.self_check import check_against_cpu
from gateway.cuda.staging_memory import StagingMemory
from gateway.errors import BackendError, DeviceLost
from gateway.frame_memory import FrameMemory

_LOG = logging.getLogger(__name__)
_MEASURED_AGAIN_SECONDS = (540.0, 660.0)


class DevicePath:
    """Prepares frames on a GPU and has the memory for it, once its kernels are compiled and do what the CPU does.

    Args:
        ordinal: The GPU, as CUDA counts them here.
        executor: Threads for what the CPU decodes.
        streams: Batches in work at one time.
        batch: Most frames of one.
        max_pixels: Largest frame.
        on_prepared: Told of each frame whether the GPU has decoded it.

    Raises:
        DeviceMemoryFull, DeviceRefused, DeviceLost: It cannot be used.
    """

    def __init__(
        self,
        ordinal: int,
        executor: Executor,
        *,
        streams: int,
        batch: int,
        max_pixels: int,
        on_prepared: Callable[[bool], None],
    ) -> None:
        self._device = CudaDevice(ordinal)
        self._outputs = DeviceOutputs(self._device, streams)
        # at another time in each worker: they would measure each other
        again_seconds = np.random.default_rng().uniform(*_MEASURED_AGAIN_SECONDS)
        self._measuring = RepeatedWork(self._outputs.measure, again_seconds)
        self._outputs.when_to_measure(self._measuring.ask)
        no_decoder = "the simulator has no decoder" if self._device.simulated else why_no_jpeg_decoder()
        decoders = [] if no_decoder else _decoders(ordinal, streams)
        each: list[DeviceDecoder | None] = [*decoders] or [None] * streams
        room = batch_bytes(batch, streams, self._device.memory_bytes()[0])
        lanes = [BatchLane(self._device, decoder, batch, room, named=profiler_ranges()) for decoder in each]
        self._staging = StagingMemory(self._device.allocate_pinned, freeing=self._device.freeing)
        reader = FrameReader(self._staging, device_decodes=bool(decoders), max_pixels=max_pixels)
        self.preparer = DevicePreparer(lanes, reader, executor, batch=batch, batch_bytes=room, on_prepared=on_prepared)
        major, minor = self._device.compute_capability
        decoded_by = "by the GPU where it can" if decoders else f"by the CPU ({no_decoder or 'see the log'})"
        self.description = f"{self._device.name}, compute capability {major}.{minor}; JPEGs are decoded {decoded_by}"
        check_against_cpu(lanes, reader)

    def when_stuck(self, tell: Callable[[DeviceLost], None]) -> None:
        """Who is told when a batch of frames is not done in time."""
        self.preparer.when_stuck(tell)

    def make_memory(self, name: str, slots: int, slot_bytes: int, output_bytes: int) -> FrameMemory:
        """Memory of which Triton is told.

        Raises:
            DeviceMemoryFull, DeviceRefused, DeviceLost: See ``DeviceFrameMemory``.
        """
        return DeviceFrameMemory(self._device, self._outputs, name, slots, slot_bytes, output_bytes)

    def close(self) -> None:
        """End the threads and free memory, when no frame is in work."""
        self._measuring.close()
        if self.preparer.is_stuck:
            self.preparer.close()
            return
        with suppress(BackendError), self._device.freeing():
            self.preparer.close()
            self._staging.drop()


def _decoders(ordinal: int, streams: int) -> list[DeviceDecoder]:
    try:
        return [JpegDecoder(ordinal) for _ in range(streams)]
    except Exception as error:  # noqa: BLE001 - the CPU decodes as well
        _LOG.warning("nvImageCodec cannot be used; the CPU decodes", extra={"reason": str(error)})
        return []
