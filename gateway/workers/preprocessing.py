"""How a worker prepares frames, and why so."""

import logging
from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import replace
from typing import Protocol

from gateway.cuda.device_probe import is_simulated, why_no_device
from gateway.errors import BackendError, DeviceLost, DeviceMemoryFull, DeviceRefused
from gateway.frame_memory import FrameMemory
from gateway.frames.fallback_preparer import FallbackPreparer
from gateway.frames.preparer import FramePreparer, HostPreparer
from gateway.frames.preparer_speed import FRAME_WH, MemoryMaker, memory_of_the_machine, seconds_per_frame
from gateway.frames.regions import DeviceMemoryMaker
from gateway.metrics import ServingMetrics
from gateway.preprocessing_choice import PreprocessingChoice, choose_preprocessing
from gateway.settings import Settings
from gateway.start_errors import PreprocessingImpossible
from gateway.transport import Transport
from gateway.workers.path_speeds import PathSpeeds

_LOG = logging.getLogger(__name__)


def preprocessing_of(settings: Settings) -> PreprocessingChoice:
    """What the settings and this machine come to.

    Raises:
        PreprocessingImpossible: The GPU is asked for, and is not there.
    """
    simulated = is_simulated()
    return choose_preprocessing(
        settings.preprocess, lambda: why_no_device(settings.cuda_device, simulated=simulated), simulated=simulated
    )


class OpenedDevice(Protocol):
    """A GPU that prepares frames."""

    @property
    def preparer(self) -> FramePreparer:
        """Prepares on it."""
        ...

    @property
    def description(self) -> str:
        """Which one it is."""
        ...

    def when_stuck(self, tell: Callable[[DeviceLost], None]) -> None:
        """Who is told when it does not get done."""
        ...

    def make_memory(self, name: str, slots: int, slot_bytes: int, output_bytes: int) -> FrameMemory:
        """Memory on it."""
        ...

    def close(self) -> None:
        """End its threads."""
        ...


DeviceOpener = Callable[[Settings, Executor, Callable[[bool], None]], OpenedDevice]


def open_device(settings: Settings, executor: Executor, on_prepared: Callable[[bool], None]) -> OpenedDevice:
    """Open the GPU that the settings name.

    Args:
        settings: Of the gateway.
        executor: Threads for what the CPU does.
        on_prepared: Told of each frame whether the GPU has decoded it.

    Raises:
        DeviceMemoryFull, DeviceRefused, DeviceLost: It cannot be used.
    """
    from gateway.cuda.device_path import DevicePath  # noqa: PLC0415 - numba, which need not be installed

    return DevicePath(
        settings.cuda_device,
        executor,
        streams=settings.cuda_streams,
        batch=settings.cuda_batch,
        max_pixels=settings.max_pixels,
        on_prepared=on_prepared,
    )


class Preprocessing:
    """The chosen path; where that is the GPU, its parts, until it is lost.

    Where the choice is left to the worker, it measures both paths and takes the quicker one. Where the GPU is quicker
    only into its own memory, the CPU prepares frames as long as their slots lie in the machine's.

    Args:
        settings: Of the gateway.
        executor: Threads for what the CPU does.
        metrics: Told of the path.
        agreed: What another worker of this gateway has come to: nothing is measured.
        was_lost: Whether a process before had lost the GPU; it stays lost where it does not open.
        choose: Which path it is to be.
        open_device: Opens the GPU.
        measure: Seconds for a frame on a path, into some memory.

    Raises:
        PreprocessingImpossible: The GPU is asked for, and cannot be used.
    """

    def __init__(
        self,
        settings: Settings,
        executor: Executor,
        metrics: ServingMetrics,
        agreed: PreprocessingChoice | None = None,
        *,
        was_lost: bool = False,
        choose: Callable[[Settings], PreprocessingChoice] = preprocessing_of,
        open_device: DeviceOpener = open_device,
        measure: Callable[[FramePreparer, MemoryMaker], float] = seconds_per_frame,
    ) -> None:
        self._metrics = metrics
        self._open_device = open_device
        self._measure = measure
        self._counts = False
        self._when_lost: Callable[[str], None] = lambda _: None
        choice = agreed or choose(settings)
        self.lost = was_lost and choice.path == "cpu"
        self._device: OpenedDevice | None = None
        self._hanging: OpenedDevice | None = None
        host = HostPreparer(executor, max_pixels=settings.max_pixels)
        if choice.path == "cuda":
            self._device, choice = self._open(settings, executor, host, agreed, was_lost=was_lost)
        metrics.device_lost.set(self.lost)
        self._counts = True
        self.at_start = choice
        self.preparer: FramePreparer = host
        self.make_device_memory: DeviceMemoryMaker | None = None
        self._fallback: FallbackPreparer | None = None
        if self._device is not None:
            self.preparer = self._fallback = FallbackPreparer(
                self._device.preparer, host, self._lose, only_into_its_memory=choice.only_into_its_memory
            )
            self.make_device_memory = self._device.make_memory
            self._device.when_stuck(self.lose)
        # how tensors reach Triton is told later: until then through memory of the machine
        self._use(replace(choice, path="cpu") if choice.only_into_its_memory else choice)

    def _open(
        self,
        settings: Settings,
        executor: Executor,
        host: HostPreparer,
        agreed: PreprocessingChoice | None,
        *,
        was_lost: bool,
    ) -> tuple[OpenedDevice | None, PreprocessingChoice]:
        try:
            device = self._open_device(settings, executor, self._count)
        except Exception as error:
            if settings.preprocess == "cuda":
                raise PreprocessingImpossible(_said(error)) from error
            self.lost = was_lost or (agreed is not None and isinstance(error, DeviceLost))
            return None, PreprocessingChoice("cpu", f"no GPU is used: {_said(error)}")
        if agreed is not None or settings.preprocess == "cuda":
            return device, agreed or PreprocessingChoice("cuda", device.description)
        choice = self._quicker(device, host, shares_memory=settings.shared_memory == "auto")
        if choice.path == "cpu" and self._hanging is None:
            device.close()
        return (device if choice.path == "cuda" else None), choice

    def _quicker(self, device: OpenedDevice, host: HostPreparer, *, shares_memory: bool) -> PreprocessingChoice:
        try:
            speeds = self._speeds(device, host, shares_memory=shares_memory)
        except Exception as error:  # noqa: BLE001 - whatever it is, the CPU prepares frames as well
            if isinstance(error, TimeoutError):  # it is kept as it is: to give back its memory waits for it
                self._hanging = device
            return PreprocessingChoice("cpu", f"no GPU is used: its speed could not be measured: {_said(error)}")
        width, height = FRAME_WH
        return speeds.quicker(f"a JPEG of {width} x {height}", device.description)

    def _speeds(self, device: OpenedDevice, host: HostPreparer, *, shares_memory: bool) -> PathSpeeds:
        gpu_ms, cpu_ms = (1e3 * self._measure(each, memory_of_the_machine) for each in (device.preparer, host))
        if gpu_ms < cpu_ms or not shares_memory:
            return PathSpeeds(cpu_ms, gpu_ms)
        try:  # the tensor's way back is saved there
            slot_ms = 1e3 * self._measure(device.preparer, lambda slots, size: device.make_memory("", slots, size, 0))
        except (DeviceRefused, DeviceMemoryFull):
            return PathSpeeds(cpu_ms, gpu_ms)
        return PathSpeeds(cpu_ms, gpu_ms, slot_ms)

    def _count(self, by_device: bool) -> None:
        if self._counts:
            self._metrics.device_frames.labels("gpu" if by_device else "cpu").inc()

    def _use(self, choice: PreprocessingChoice) -> None:
        self.choice = choice
        self._metrics.use_preprocessing(choice.path)
        _LOG.info("frames are prepared", extra={"path": choice.path, "reason": choice.reason})

    def use_transport(self, transport: Transport) -> None:
        """Tensors reach Triton that way from here on, which may be where the CPU is quicker."""
        if self.at_start.only_into_its_memory and not self.lost:
            path = self.at_start.path if transport is Transport.CUDA else "cpu"
            if path != self.choice.path:
                self._use(replace(self.at_start, path=path))

    def when_lost(self, tell: Callable[[str], None]) -> None:
        """Who is told why, when the GPU is lost."""
        self._when_lost = tell

    def lose(self, error: DeviceLost) -> None:
        """The GPU did not work where something else than preparation used it."""
        if self._fallback is not None:
            self._fallback.lose(error.reason)

    def _lose(self, error: DeviceLost) -> None:
        _LOG.error("the GPU is lost, the CPU prepares frames from here on", extra={"reason": error.reason})
        self.lost = True
        self._metrics.device_lost.set(1)
        self._use(PreprocessingChoice("cpu", str(error)))
        self._when_lost(str(error))

    def close(self) -> None:
        """End the GPU's threads, when no frame is in work."""
        if self._device is not None:
            self._device.close()


def _said(error: Exception) -> str:
    return str(error) if isinstance(error, BackendError) else f"{type(error).__name__}: {error}"
