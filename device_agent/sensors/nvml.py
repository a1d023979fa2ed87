"""NVIDIA's management library, by the optional package ``nvidia-ml-py``."""

import importlib
import importlib.util
import logging
from collections.abc import Callable
from types import ModuleType
from typing import Any

from device_agent.sensors.host_tree import HostTree
from device_agent.sensors.nvidia_gpus import Quantity

_LOG = logging.getLogger(__name__)
_PACKAGE = "pynvml"
_QUESTIONS: dict[Quantity, Callable[[Any, Any], float]] = {
    Quantity.UTILIZATION_PERCENT: lambda nvml, gpu: nvml.nvmlDeviceGetUtilizationRates(gpu).gpu,
    Quantity.MEMORY_SIZE_BYTES: lambda nvml, gpu: nvml.nvmlDeviceGetMemoryInfo(gpu).total,
    Quantity.MEMORY_USED_BYTES: lambda nvml, gpu: nvml.nvmlDeviceGetMemoryInfo(gpu).used,
    Quantity.TEMPERATURE_CELSIUS: lambda nvml, gpu: nvml.nvmlDeviceGetTemperature(gpu, nvml.NVML_TEMPERATURE_GPU),
    Quantity.POWER_MILLIWATTS: lambda nvml, gpu: nvml.nvmlDeviceGetPowerUsage(gpu),
    Quantity.POWER_LIMIT_MILLIWATTS: lambda nvml, gpu: nvml.nvmlDeviceGetEnforcedPowerLimit(gpu),
    Quantity.ENERGY_MILLIJOULES: lambda nvml, gpu: nvml.nvmlDeviceGetTotalEnergyConsumption(gpu),
    Quantity.SM_MEGAHERTZ: lambda nvml, gpu: nvml.nvmlDeviceGetClockInfo(gpu, nvml.NVML_CLOCK_SM),
    Quantity.MEMORY_MEGAHERTZ: lambda nvml, gpu: nvml.nvmlDeviceGetClockInfo(gpu, nvml.NVML_CLOCK_MEM),
    Quantity.SM_MAX_MEGAHERTZ: lambda nvml, gpu: nvml.nvmlDeviceGetMaxClockInfo(gpu, nvml.NVML_CLOCK_SM),
    Quantity.THROTTLE_BITS: lambda nvml, gpu: nvml.nvmlDeviceGetCurrentClocksThrottleReasons(gpu),
}


class NvmlError(OSError):
    """NVML gives no answer."""

    def __init__(self, question: str, reason: str) -> None:
        super().__init__(f"NVML does not answer about {question}: {reason}")


class NvmlMissing(FileNotFoundError):
    """The driver's library is not installed here, as on older Jetsons, or is not shown to a container."""


class Nvml:
    """The GPUs, as NVML tells.

    Args:
        library: The module ``pynvml``.

    Raises:
        NvmlMissing: The driver's library is not here.
        NvmlError: The driver and its library do not fit together.
    """

    def __init__(self, library: ModuleType) -> None:
        self._library: Any = library
        try:
            self._library.nvmlInit()
        except self._library.NVMLError_LibraryNotFound as error:
            raise NvmlMissing(str(error)) from error
        except self._library.NVMLError as error:
            raise NvmlError("the driver", str(error)) from error

    def names(self) -> list[str]:
        """What each GPU is called.

        Raises:
            NvmlError: The driver does not answer.
        """
        try:
            handles = [self._library.nvmlDeviceGetHandleByIndex(n) for n in range(self._library.nvmlDeviceGetCount())]
            return [_text(self._library.nvmlDeviceGetName(handle)) for handle in handles]
        except self._library.NVMLError as error:
            raise NvmlError("its GPUs", str(error)) from error

    def value(self, gpu: int, quantity: Quantity) -> float | None:
        """One value; None where this GPU does not know it.

        Raises:
            NvmlError: It should, but does not answer.
        """
        try:
            return float(_QUESTIONS[quantity](self._library, self._library.nvmlDeviceGetHandleByIndex(gpu)))
        except self._library.NVMLError_NotSupported:
            return None
        except self._library.NVMLError as error:
            raise NvmlError(f"{quantity.value} of GPU {gpu}", str(error)) from error


class NvmlFinder:
    """Opens NVML where the machine has the driver; without it, the package is not even imported.

    Args:
        tree: The machine.
    """

    def __init__(self, tree: HostTree) -> None:
        self._tree = tree
        self._told = False

    def __call__(self) -> Nvml | None:
        """NVML, or None where the driver, its library or the package is not installed.

        Raises:
            NvmlError: They are, and do not work.
        """
        if not self._tree.path("proc/driver/nvidia/version").exists():
            return None
        if importlib.util.find_spec(_PACKAGE) is None:
            self._tell_once("the Python package is missing: pip install 'outpost[device-agent-nvidia]'")
            return None
        try:
            return Nvml(importlib.import_module(_PACKAGE))
        except NvmlMissing as error:
            self._tell_once(f"{error}; a container needs NVIDIA's runtime (docker run --gpus all)")
            return None

    def _tell_once(self, reason: str) -> None:
        if not self._told:
            self._told = True
            _LOG.warning("there is an NVIDIA driver, but its metrics cannot be read", extra={"reason": reason})


def _text(name: str | bytes) -> str:
    return name.decode(errors="replace") if isinstance(name, bytes) else name
