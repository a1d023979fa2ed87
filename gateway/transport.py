"""The ways to Triton."""

from enum import StrEnum


class Transport(StrEnum):
    """How a tensor reaches Triton."""

    CUDA = "cuda_shared_memory"
    SYSTEM = "system_shared_memory"
    REQUEST = "request"
