"""One GPU as the gateway uses it: memory on it, memory that it reads quickly, streams."""

import ctypes
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import numpy as np
from numba import config, cuda
from numpy.typing import NDArray

from gateway.cuda.device_errors import known_error
from gateway.errors import DeviceRefused

_FREEING = threading.RLock()
_HANDLE_BYTES = 64  # CU_IPC_HANDLE_SIZE


class CudaDevice:
    """A GPU with its context in this process.

    Each thread enters ``in_use`` around its work with the GPU. A process that was forked from the one that made the
    device cannot use it: CUDA does not live through a fork.

    Args:
        ordinal: The GPU, as CUDA counts them here.

    Raises:
        DeviceRefused: There is no driver, or no such GPU.
        DeviceLost: It is there and does not work.
    """

    def __init__(self, ordinal: int) -> None:
        self.ordinal = ordinal
        self.simulated = bool(config.ENABLE_CUDASIM)
        self._process = os.getpid()
        count = device_count()
        if ordinal >= count:
            raise DeviceRefused("open it", f"there is no GPU {ordinal}: CUDA sees {count}")
        with self.in_use("open it"):
            device = cuda.get_current_device()
            self.name = "simulator" if self.simulated else str(device.name)
            self.compute_capability: tuple[int, int] = tuple(device.compute_capability)

    @contextmanager
    def in_use(self, doing: str, needed_bytes: int = 0) -> Iterator[None]:
        """Makes this GPU the one of the calling thread, and the driver's errors the gateway's.

        Args:
            doing: What is done, for the error: "open it".
            needed_bytes: What is asked of its memory, for the error.

        Raises:
            DeviceMemoryFull, DeviceLost, DeviceRefused: What the driver says.
        """
        if os.getpid() != self._process:
            raise DeviceRefused(
                doing, f"process {os.getpid()} was forked from {self._process}, which has opened it: open it after"
            )
        try:
            with cuda.gpus[self.ordinal]:
                yield
        except Exception as error:
            known = known_error(error, doing, needed_bytes, self._free_bytes)
            if known is None:
                raise
            raise known from error

    def _free_bytes(self) -> int:
        try:
            with cuda.gpus[self.ordinal]:
                return _bytes(cuda.current_context().get_memory_info().free)
        except Exception:  # noqa: BLE001 - it is asked for the words of another error
            return 0

    def memory_bytes(self) -> tuple[int, int]:
        """Free and whole memory of the GPU, in bytes; 0 and 0 in the simulator, which has no limit.

        Raises:
            DeviceLost, DeviceRefused: See ``in_use``.
        """
        with self.in_use("ask for its memory"):
            info = cuda.current_context().get_memory_info()
            return _bytes(info.free), _bytes(info.total)

    def allocate(self, size_bytes: int) -> Any:
        """Memory on the GPU that lives as long as the array: uint8, one axis, not cleared.

        Raises:
            DeviceMemoryFull: With what is free.
            DeviceLost, DeviceRefused: See ``in_use``.
        """
        with self.in_use("allocate memory", size_bytes):
            return cuda.device_array(size_bytes, np.uint8)

    def allocate_pinned(self, size_bytes: int) -> NDArray[np.uint8]:
        """Memory of the machine that the GPU copies from without a stop in between: uint8, one axis, not cleared.

        Raises:
            DeviceMemoryFull: The machine has none left that it can pin.
            DeviceLost, DeviceRefused: See ``in_use``.
        """
        with self.in_use("pin memory of the machine", size_bytes):
            pinned: NDArray[np.uint8] = cuda.pinned_array(size_bytes, np.uint8)
            return pinned

    def upload(self, values: NDArray[Any]) -> Any:
        """A copy of an array on the GPU.

        Raises:
            DeviceMemoryFull, DeviceLost, DeviceRefused: See ``in_use``.
        """
        with self.in_use("copy to it", values.nbytes):
            return cuda.to_device(values)

    def create_stream(self) -> Any:
        """A queue of work for the GPU.

        Raises:
            DeviceMemoryFull, DeviceLost, DeviceRefused: See ``in_use``.
        """
        with self.in_use("create a stream"):
            return cuda.stream()

    def ipc_handle(self, values: Any) -> bytes:
        """What another process opens a whole allocation with.

        Args:
            values: Of ``allocate``.

        Returns:
            64 bytes.

        Raises:
            DeviceRefused: This GPU shares no memory (Tegra, the simulator).
            DeviceLost: See ``in_use``.
        """
        if self.simulated:
            raise DeviceRefused("share memory with Triton", "the simulator has no CUDA IPC")
        with self.in_use("share memory with Triton"):
            try:
                handle = cuda.current_context().get_ipc_handle(values.gpu_data)
            except OSError as error:  # numba's word for a platform without it
                raise DeviceRefused("share memory with Triton", str(error)) from error
            if handle.offset:
                raise DeviceRefused("share memory with Triton", "it does not begin an allocation of its own")
            return handle_bytes(handle.handle)

    @contextmanager
    def freeing(self) -> Iterator[None]:
        """Gives back what the block lets go of, at its end: arrays on the GPU, pinned memory, streams.

        Arrays that are let go of elsewhere are freed later, by whichever thread has the turn. One block at a time:
        numba's list of what is to be freed is not made for several threads.

        Raises:
            DeviceLost, DeviceRefused: See ``in_use``.
        """
        with _FREEING, self.in_use("free memory"):
            yield
            if self.simulated:
                return
            context = cuda.current_context()
            for let_go in (context.memory_manager.deallocations, context.deallocations):
                with suppress(IndexError):  # an array that was let go of elsewhere had the rest freed
                    let_go.clear()

    def free_unused(self) -> None:
        """Give back what no array uses any more; the driver is asked late otherwise.

        Raises:
            DeviceLost, DeviceRefused: See ``in_use``.
        """
        with self.freeing():
            pass


def device_count() -> int:
    """How many GPUs CUDA sees; makes no context.

    Raises:
        DeviceRefused: There is no driver.
        DeviceLost, DeviceMemoryFull: It does not work.
    """
    try:
        return len(cuda.gpus)
    except Exception as error:
        known = known_error(error, "start CUDA", 0, lambda: 0)
        raise known or DeviceRefused("start CUDA", f"{type(error).__name__}: {error}") from error


def handle_bytes(handle: Any) -> bytes:
    """The content of a ``CUipcMemHandle`` of NVIDIA's Python bindings, which has no field for it."""
    return ctypes.string_at(int(handle.getPtr()), _HANDLE_BYTES)


def _bytes(value: float) -> int:
    return int(value) if np.isfinite(value) else 0
