"""The one table from errors to gRPC status codes."""

import grpc

from gateway import errors

_RETRY_AFTER_SECONDS = 1
_STATUS: dict[type[errors.GatewayError], grpc.StatusCode] = {
    errors.ClientError: grpc.StatusCode.INVALID_ARGUMENT,
    errors.PayloadTooLarge: grpc.StatusCode.RESOURCE_EXHAUSTED,
    errors.Unauthenticated: grpc.StatusCode.UNAUTHENTICATED,
    errors.UnknownModel: grpc.StatusCode.NOT_FOUND,
    errors.NotSupported: grpc.StatusCode.UNIMPLEMENTED,
    errors.QueueFull: grpc.StatusCode.RESOURCE_EXHAUSTED,
    errors.MemoryFull: grpc.StatusCode.RESOURCE_EXHAUSTED,
    errors.DeadlineExceeded: grpc.StatusCode.DEADLINE_EXCEEDED,
    errors.BackendError: grpc.StatusCode.UNAVAILABLE,
    errors.DeviceMemoryFull: grpc.StatusCode.UNAVAILABLE,
    errors.DeviceLost: grpc.StatusCode.UNAVAILABLE,
    errors.DeviceRefused: grpc.StatusCode.INTERNAL,
    errors.InvalidModelOutput: grpc.StatusCode.INTERNAL,
    errors.GatewayError: grpc.StatusCode.INTERNAL,
}


def grpc_status_of(error: errors.GatewayError) -> grpc.StatusCode:
    """The status of an error: Triton's own code where the refusal is Triton's, else the table's nearest entry."""
    if isinstance(error, errors.TritonRejected):
        return grpc.StatusCode[error.code.value]
    return next(_STATUS[kind] for kind in type(error).__mro__ if kind in _STATUS)


def trailing_metadata_of(error: errors.GatewayError) -> tuple[tuple[str, str], ...]:
    """What goes with the status of an error: after how many seconds asking again makes sense."""
    again = isinstance(error, errors.QueueFull | errors.MemoryFull)
    return (("retry-after", str(_RETRY_AFTER_SECONDS)),) if again else ()
