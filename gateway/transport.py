"""The ways to Triton, and why one of them is not taken."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal


class Transport(StrEnum):
    """How a tensor reaches Triton."""

    CUDA = "cuda_shared_memory"
    SYSTEM = "system_shared_memory"
    REQUEST = "request"


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a way is not taken.

    Attributes:
        cause: One of a few, for metrics.
        reason: In full, for people.
    """

    cause: Literal["setting", "not_created", "refused_by_triton", "kept_by_triton", "gpu_lost"]
    reason: str
