"""The GPU of this machine, asked from NVIDIA's driver; works on Jetson too, which has no NVML."""
# ruff: noqa: N802  the names are those of the CUDA driver API

import ctypes
from dataclasses import dataclass
from typing import Any, Protocol

LIBRARY = "libcuda.so.1"
_NAME_BYTES = 256
_MAJOR, _MINOR = 75, 76
"""``CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR`` and ``_MINOR`` of the CUDA driver API."""


@dataclass(frozen=True, slots=True)
class CudaDevice:
    """A GPU.

    Attributes:
        name: As the driver calls it, for example ``Orin``.
        compute_capability: For example ``8.7`` for Orin.
        cuda_version: The newest that the driver supports, for example ``12.6``.
    """

    name: str
    compute_capability: str
    cuda_version: str


class CudaDriver(Protocol):
    """The functions of the CUDA driver API that are needed; each gives 0 when it worked."""

    def cuInit(self, flags: int) -> int:
        """Start the driver."""
        ...

    def cuDriverGetVersion(self, version: Any) -> int:
        """1000 times the major plus 10 times the minor version."""
        ...

    def cuDeviceGet(self, device: Any, ordinal: int) -> int:
        """Handle of a device."""
        ...

    def cuDeviceGetName(self, name: Any, size: int, device: Any) -> int:
        """Its name, closed by a NUL, into a buffer of ``size`` bytes."""
        ...

    def cuDeviceGetAttribute(self, value: Any, attribute: int, device: Any) -> int:
        """One property of a device."""
        ...


class NoCudaDevice(Exception):
    """There is no GPU that CUDA can use; the text says what is missing."""


def load_driver() -> CudaDriver:
    """The driver of this machine.

    Raises:
        NoCudaDevice: It is not installed.
    """
    try:
        driver: CudaDriver = ctypes.CDLL(LIBRARY)
    except OSError as error:
        raise NoCudaDevice(f"there is no NVIDIA driver ({LIBRARY})") from error
    return driver


def find_cuda_device(driver: CudaDriver) -> CudaDevice:
    """The first GPU.

    Raises:
        NoCudaDevice: There is none.
    """
    version, device = ctypes.c_int(), ctypes.c_int()
    major, minor, name = ctypes.c_int(), ctypes.c_int(), ctypes.create_string_buffer(_NAME_BYTES)
    _check("cuInit", driver.cuInit(0))
    _check("cuDriverGetVersion", driver.cuDriverGetVersion(ctypes.byref(version)))
    _check("cuDeviceGet", driver.cuDeviceGet(ctypes.byref(device), 0))
    _check("cuDeviceGetName", driver.cuDeviceGetName(name, _NAME_BYTES, device))
    for number, attribute in ((major, _MAJOR), (minor, _MINOR)):
        _check("cuDeviceGetAttribute", driver.cuDeviceGetAttribute(ctypes.byref(number), attribute, device))
    cuda = f"{version.value // 1000}.{version.value % 1000 // 10}"
    return CudaDevice(name.value.decode(errors="replace"), f"{major.value}.{minor.value}", cuda)


def _check(function: str, status: int) -> None:
    if status:
        raise NoCudaDevice(f"the NVIDIA driver finds no GPU ({function} gave {status})")
