"""Names for what happens on the GPU's time line, for NVIDIA's profilers."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from importlib import import_module
from importlib.util import find_spec
from typing import Any

ProfilerRange = Callable[[str], AbstractContextManager[object]]
"""A block of work by its name."""

_DOMAIN = "outpost"


def profiler_ranges() -> ProfilerRange:
    """NVTX ranges where the package ``nvtx`` is installed, else blocks that nobody sees."""
    if find_spec("nvtx") is None:
        return unseen_range
    nvtx: Any = import_module("nvtx")

    def named_range(name: str) -> AbstractContextManager[object]:
        block: AbstractContextManager[object] = nvtx.annotate(name, domain=_DOMAIN)
        return block

    return named_range


def unseen_range(_name: str) -> AbstractContextManager[object]:
    """A block that nobody sees."""
    return nullcontext()
