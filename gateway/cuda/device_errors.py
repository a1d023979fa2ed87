"""What the CUDA driver says, as an error of the gateway."""

from collections.abc import Callable

from gateway.errors import BackendError, DeviceLost, DeviceMemoryFull, DeviceRefused

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
