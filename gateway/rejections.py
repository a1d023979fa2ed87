"""What the metric of rejections calls an error; the same for every protocol."""

from gateway.errors import (
    ClientError,
    DeadlineExceeded,
    InvalidFrame,
    MemoryFull,
    ModelNotReady,
    NotSupported,
    PayloadTooLarge,
    QueueFull,
    TritonUnavailable,
    Unauthenticated,
    UnknownModel,
)

_REASONS: dict[type[BaseException], str] = {
    ClientError: "invalid",
    InvalidFrame: "invalid_frame",
    NotSupported: "not_supported",
    PayloadTooLarge: "too_large",
    Unauthenticated: "unauthenticated",
    UnknownModel: "unknown_model",
    QueueFull: "queue_full",
    MemoryFull: "memory_full",
    DeadlineExceeded: "deadline",
    ModelNotReady: "not_ready",
    TritonUnavailable: "triton_unavailable",
}


def rejection_reason(error: BaseException) -> str | None:
    """Why a request was turned away, or None where it failed in another way."""
    return next((_REASONS[kind] for kind in type(error).__mro__ if kind in _REASONS), None)
