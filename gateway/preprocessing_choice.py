"""Where frames are prepared. Pure."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from gateway.start_errors import PreprocessingImpossible

_MEASURED = (
    "there is a GPU; the first worker measures at its start whether it is quicker than the CPU, and all take the CPU"
    " where it is not (workers, preprocessing_reason in the status)"
)


@dataclass(frozen=True, slots=True)
class PreprocessingChoice:
    """The path, and why this one.

    Attributes:
        path: Where frames become tensors.
        reason: Why there; of a GPU, which one it is.
        only_into_its_memory: Of a GPU: the CPU is quicker for frames whose slot does not lie on it, and prepares those.
    """

    path: Literal["cpu", "cuda"]
    reason: str
    only_into_its_memory: bool = False


def choose_preprocessing(
    wanted: Literal["auto", "cpu", "cuda"], why_no_device: Callable[[], str], *, simulated: bool
) -> PreprocessingChoice:
    """Choose a path.

    Args:
        wanted: The setting.
        why_no_device: What is missing to use the GPU; empty where nothing is. Only asked where it matters.
        simulated: Kernels run in numba's simulator.

    Raises:
        PreprocessingImpossible: The GPU is wanted, and cannot be used.
    """
    if wanted == "cpu":
        return PreprocessingChoice("cpu", "the setting preprocess says so")
    if wanted == "auto" and simulated:
        return PreprocessingChoice("cpu", "numba's simulator is no GPU; only preprocess=cuda uses it")
    problem = why_no_device()
    if not problem:
        by_setting = "the setting preprocess says so"
        return PreprocessingChoice("cuda", by_setting if wanted == "cuda" else _MEASURED)
    if wanted == "cuda":
        raise PreprocessingImpossible(problem)
    return PreprocessingChoice("cpu", f"no GPU is used: {problem}")
