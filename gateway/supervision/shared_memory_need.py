"""How much shared memory Triton's backends take, and whether there is so much."""

import os
from collections.abc import Callable
from pathlib import Path

from pydantic import ValidationError

from contracts.active_models import ActiveModels
from contracts.build_name import BuildName
from gateway.frame_memory import SHARED_MEMORY_DIR
from gateway.start_errors import SharedMemoryTooSmall
from gateway.supervision.embedded_triton import EmbeddedTriton
from gateway.supervision.state_folder import StateFolder, is_on_tensorrt

_INSTANCE_BYTES = 2**20
_SETS = 2  # while a build is loaded again, its old instances still serve


def needed_bytes(state: StateFolder, instances: int, accepts: Callable[[str], bool]) -> int:
    """What the backends of the active builds take; 0 where ``active.json`` cannot be read, for then nothing is loaded.

    Args:
        state: With its builds.
        instances: Of each build; those on TensorRT are no processes of their own.
        accepts: Whether builds for a hardware class are loaded here.
    """
    try:
        active = ActiveModels.model_validate_json(state.active_file.read_bytes())
    except (OSError, ValidationError):
        return 0
    builds = [build for build in active.builds() if accepts(BuildName.parse(build).hardware_class)]
    processes = instances * sum(not is_on_tensorrt(state.repository / build) for build in builds)
    return _SETS * processes * _INSTANCE_BYTES


def free_bytes(folder: Path = SHARED_MEMORY_DIR) -> int:
    """What is free of the shared memory."""
    free = os.statvfs(folder)
    return free.f_bavail * free.f_frsize


async def require_shared_memory(triton: EmbeddedTriton, needed: int, free: Callable[[], int] = free_bytes) -> None:
    """Remove what an earlier Triton of the folder left there, then see that the rest is enough.

    Args:
        triton: Not started.
        needed: Bytes.
        free: Bytes.

    Raises:
        SharedMemoryTooSmall: It is not.
    """
    await triton.remove_leftovers()
    found = free()
    if found < needed:
        raise SharedMemoryTooSmall(found, needed)
