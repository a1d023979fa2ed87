"""What can go wrong with a request, split by whose fault it is. No error knows a transport.

GatewayError
├── Unforeseen                  a mistake of ours; the log has it under the request's id
├── ClientError                 the caller can mend it
│   ├── BadRequest              malformed body, tensor, parameter or header
│   ├── PayloadTooLarge         body over the limit
│   ├── InvalidFrame            an element of `images` is not a usable picture
│   ├── UnknownModel            neither an alias nor a build
│   ├── Unauthenticated         no bearer token, or none of ours
│   ├── WrongTask               a classifier was asked for detections, or the other way round
│   └── NotSupported            a protocol feature the gateway does not offer
├── OverloadError               try again later, or allow more time
│   ├── QueueFull
│   ├── MemoryFull              the bodies of requests in work take all the memory that they may
│   └── DeadlineExceeded
└── BackendError                our side, or Triton's
    ├── TritonUnavailable       no answer from Triton
    ├── ModelNotReady           known, but not (or no longer) loaded
    ├── InstanceLost            a backend process died under the request; asking again may work
    ├── RegionLost              Triton no longer knows our shared memory; it was restarted
    ├── DeviceMemoryFull        the GPU has no memory left
    ├── DeviceLost              the GPU, or its context in this process, does not work any more
    ├── DeviceRefused           the GPU or its driver does not do what was asked
    ├── InvalidModelOutput      the model answered with something unusable (NaN, wrong shape)
    └── TritonRejected          Triton's own answer, with its own code
"""

from enum import StrEnum


class GatewayError(Exception):
    """Anything the gateway answers with instead of a result."""


class Unforeseen(GatewayError):
    """An error that nobody planned for."""

    def __init__(self, request_id: str) -> None:
        self.request_id = request_id
        super().__init__(f"internal error; the gateway's log has it under request id '{request_id}'")


class ClientError(GatewayError):
    """The caller can mend it."""


class OverloadError(GatewayError):
    """More is asked than can be done now."""


class BackendError(GatewayError):
    """The fault is behind the gateway."""


class BadRequest(ClientError):
    """A field of the request is not what the protocol says."""

    def __init__(self, field: str, expected: str, actual: str) -> None:
        self.field = field
        self.expected = expected
        self.actual = actual
        super().__init__(f"{field[:120]}: expected {expected}, got {actual[:200]}")


class PayloadTooLarge(ClientError):
    """The body is over the limit."""

    def __init__(self, size_bytes: int, limit_bytes: int) -> None:
        self.size_bytes = size_bytes
        self.limit_bytes = limit_bytes
        super().__init__(f"request body of {size_bytes} bytes is over the limit of {limit_bytes} (max_request_bytes)")


class InvalidFrame(ClientError):
    """One picture of the request cannot be used."""

    def __init__(self, index: int, count: int, reason: str) -> None:
        self.index = index
        self.reason = reason
        super().__init__(f"images[{index}] of {count}: {reason}")


class UnknownModel(ClientError):
    """No alias and no build has this name. The wording starts as Triton's does: its clients look for it."""

    def __init__(self, name: str, known: tuple[str, ...]) -> None:
        self.name = name
        self.known = known
        super().__init__(f"Request for unknown model: '{name[:80]}' is not found; known: {', '.join(known) or 'none'}")


class Unauthenticated(ClientError):
    """The gateway asks for a bearer token."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(f"the request is refused: {reason}; send the header 'authorization: Bearer <token>'")


class WrongTask(ClientError):
    """The alias does something else than was asked."""

    def __init__(self, alias: str, task: str) -> None:
        self.alias = alias
        self.task = task
        verb, other = ("classify", "detect") if task == "classification" else ("detect", "classify")
        super().__init__(
            f"model '{alias}' does {task}, it cannot {other}: ask POST /v1/models/{alias}/{verb}, or use its outputs"
            " over the Open Inference Protocol"
        )


class NotSupported(ClientError):
    """The protocol has it, the gateway does not offer it."""

    def __init__(self, feature: str, instead: str) -> None:
        self.feature = feature
        super().__init__(f"{feature} is not supported by the gateway: {instead}")


class QueueFull(OverloadError):
    """The admission queue has no place left."""

    def __init__(self, waiting: int, limit: int) -> None:
        self.limit = limit
        super().__init__(f"queue full: {waiting} frames wait, the limit is {limit}; retry after a pause")


class MemoryFull(OverloadError):
    """The bodies of the requests in work take all the memory that they may."""

    def __init__(self, size_bytes: int, held_bytes: int, limit_bytes: int) -> None:
        self.size_bytes = size_bytes
        self.limit_bytes = limit_bytes
        super().__init__(
            f"no memory for {size_bytes} more bytes of request body: requests in work hold {held_bytes}, the limit is"
            f" {limit_bytes} (max_bodies_bytes); retry after a pause"
        )


class DeadlineExceeded(OverloadError):
    """The caller's time was over before the answer was there."""

    def __init__(self, stage: str) -> None:
        self.stage = stage
        super().__init__(f"deadline exceeded during {stage}")


class TritonUnavailable(BackendError):
    """Triton does not answer."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(f"Triton is unavailable: {reason}")


class ModelNotReady(BackendError):
    """The model is known but cannot answer now."""

    def __init__(self, name: str, reason: str) -> None:
        self.name = name
        self.reason = reason
        super().__init__(f"model '{name}' is not ready: {reason}")


class InstanceLost(BackendError):
    """The backend process that had the request died or hangs."""

    def __init__(self, build: str, reason: str) -> None:
        self.build = build
        super().__init__(f"an instance of '{build}' was lost: {reason}")


class RegionLost(BackendError):
    """Triton does not know the region that the tensor is in."""

    def __init__(self, region: str) -> None:
        self.region = region
        super().__init__(f"Triton lost the shared memory {region}; it was probably restarted")


class DeviceMemoryFull(BackendError):
    """The GPU has not as much memory as is needed."""

    def __init__(self, needed_bytes: int, free_bytes: int) -> None:
        self.needed_bytes = needed_bytes
        self.free_bytes = free_bytes
        super().__init__(
            f"the GPU has no memory for {needed_bytes} bytes more, {free_bytes} are free: load fewer builds, lower"
            " max_in_flight, or set preprocess to cpu"
        )


class DeviceLost(BackendError):
    """The GPU, or its context in this process, does not work any more."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(f"the GPU was lost: {reason}; look for its driver's messages in the kernel's log (Xid)")


class DeviceRefused(BackendError):
    """The GPU or its driver does not do what was asked; what was there is still there."""

    def __init__(self, doing: str, reason: str) -> None:
        self.doing = doing
        self.reason = reason
        super().__init__(f"the GPU was to {doing}: {reason}")


class InvalidModelOutput(BackendError):
    """The model's output cannot be decoded."""

    def __init__(self, build: str, reason: str) -> None:
        self.build = build
        super().__init__(f"model '{build}' gave an invalid output: {reason}")


class TritonCode(StrEnum):
    """Triton's error codes, by the names that gRPC uses too."""

    UNKNOWN = "UNKNOWN"
    INTERNAL = "INTERNAL"
    NOT_FOUND = "NOT_FOUND"
    INVALID_ARGUMENT = "INVALID_ARGUMENT"
    UNAVAILABLE = "UNAVAILABLE"
    UNIMPLEMENTED = "UNIMPLEMENTED"
    ALREADY_EXISTS = "ALREADY_EXISTS"
    CANCELLED = "CANCELLED"
    DEADLINE_EXCEEDED = "DEADLINE_EXCEEDED"
    RESOURCE_EXHAUSTED = "RESOURCE_EXHAUSTED"


class TritonRejected(BackendError):
    """Triton's own refusal, passed on with its code and words."""

    def __init__(self, code: TritonCode, message: str) -> None:
        self.code = code
        self.message = message
        super().__init__(message)
