"""Whether a GPU can be used, without a context on it: the process that asks may not be the one that serves."""

import os
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path

_DRIVERS = ("nvidiactl", "nvhost-gpu", "nvgpu", "dxg")
"""Of servers and workstations, of two generations of Jetson, of WSL."""


def is_simulated(environment: Mapping[str, str] = os.environ) -> bool:
    """Whether numba runs kernels in its simulator."""
    return environment.get("NUMBA_ENABLE_CUDASIM", "0") not in ("", "0")


def why_no_device(ordinal: int, *, dev: Path = Path("/dev"), simulated: bool = False) -> str:
    """What is missing to use a GPU; empty where nothing is.

    Args:
        ordinal: The GPU, as CUDA counts them here.
        dev: Where the driver's files are.
        simulated: There need be no driver.
    """
    if find_spec("numba_cuda") is None:
        return "numba-cuda is not installed: install outpost[gpu]"
    if not simulated and not any((dev / name).exists() for name in _DRIVERS):
        return f"there is no NVIDIA driver: {dev} has none of {', '.join(_DRIVERS)}"
    try:
        from gateway.cuda.device import device_count  # noqa: PLC0415 - numba, which takes a second to import

        count = device_count()
    except Exception as error:  # noqa: BLE001 - whatever it is, the CPU prepares frames as well
        return str(error) or type(error).__name__
    return "" if ordinal < count else f"there is no GPU {ordinal}: CUDA sees {count}"
