"""What the CUDA driver and the libraries around it say, as an error of the gateway."""

import re
from collections.abc import Callable

from gateway.errors import BackendError, DeviceLost, DeviceMemoryFull, DeviceRefused

_LIBRARIES = ("cuda.", "numba.")
_MOST_CHARACTERS = 500
_CODE = re.compile(r"CUDA_ERROR_[A-Z0-9_]+")
_OUT_OF_MEMORY = "CUDA_ERROR_OUT_OF_MEMORY"
# CUDA driver API, CUresult: the call cannot be made here, or was wrong, and nothing that was there is lost by it
_REFUSALS = frozenset(
    {
        "CUDA_ERROR_INVALID_VALUE",
        "CUDA_ERROR_INVALID_DEVICE",
        "CUDA_ERROR_NOT_SUPPORTED",
        "CUDA_ERROR_NOT_PERMITTED",
        "CUDA_ERROR_OPERATING_SYSTEM",
        "CUDA_ERROR_MAP_FAILED",
        "CUDA_ERROR_NO_BINARY_FOR_GPU",
        "CUDA_ERROR_UNSUPPORTED_PTX_VERSION",
        "CUDA_ERROR_LAUNCH_OUT_OF_RESOURCES",
    }
)


def device_error(code: str, doing: str, needed_bytes: int, free_bytes: Callable[[], int]) -> BackendError:
    """The error for a code of the driver.

    Args:
        code: Name of the ``CUresult``.
        doing: What was done.
        needed_bytes: What was asked of the GPU's memory.
        free_bytes: Asks what is free there; called where memory is the matter.
    """
    if code == _OUT_OF_MEMORY:
        return DeviceMemoryFull(needed_bytes, free_bytes())
    if code in _REFUSALS:
        return DeviceRefused(doing, code)
    return DeviceLost(f"{code} while it was to {doing}")


def known_error(error: Exception, doing: str, needed_bytes: int, free_bytes: Callable[[], int]) -> BackendError | None:
    """The error for what numba or NVIDIA's packages for Python raise; None for an error of others.

    Memory and copies fail with an error of numba's, launches and the loading of kernels with one of ``cuda.core``,
    which has the driver's code in its words alone; compilers and missing libraries have no code.

    Args:
        error: Whatever was raised.
        doing: What was done.
        needed_bytes: What was asked of the GPU's memory.
        free_bytes: Asks what is free there; called where memory is the matter.
    """
    if not type(error).__module__.startswith(_LIBRARIES):
        return None
    name = getattr(getattr(error, "code", None), "name", None)
    found = _CODE.search(str(name or error))
    if found is not None:
        return device_error(found[0], doing, needed_bytes, free_bytes)
    said = " ".join(str(error).split())[:_MOST_CHARACTERS]
    return DeviceRefused(doing, f"{type(error).__name__}: {said}")
