"""Every error of the HTTP servers as a status and a body, in one table."""

from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import Response

from gateway.errors import (
    BackendError,
    ClientError,
    DeadlineExceeded,
    DeviceLost,
    DeviceMemoryFull,
    InstanceLost,
    InvalidModelOutput,
    MemoryFull,
    ModelNotReady,
    NotSupported,
    PayloadTooLarge,
    QueueFull,
    TritonCode,
    TritonRejected,
    TritonUnavailable,
    Unauthenticated,
    UnknownModel,
)
from gateway.http_api.body import BodyTimeout
from gateway.http_api.codec import write_json
from gateway.http_api.lingering_response import LingeringResponse

CLIENT_CLOSED_REQUEST = 499
"""What logs and metrics call a request whose client went away; nobody reads it as an answer."""
RETRY_AFTER_SECONDS = 1


class GatewayStopping(BackendError):
    """The request was still in work when the time for a graceful stop was over."""

    def __init__(self) -> None:
        super().__init__("the gateway is stopping; ask again")


_STATUS: dict[type[BaseException], int] = {
    ClientError: 400,
    Unauthenticated: 401,
    UnknownModel: 404,
    BodyTimeout: 408,
    PayloadTooLarge: 413,
    NotSupported: 501,
    QueueFull: 429,
    MemoryFull: 429,
    DeadlineExceeded: 504,
    BackendError: 500,
    InvalidModelOutput: 500,
    TritonUnavailable: 503,
    GatewayStopping: 503,
    ModelNotReady: 503,
    InstanceLost: 503,
    DeviceMemoryFull: 503,
    DeviceLost: 503,
    ClientDisconnect: CLIENT_CLOSED_REQUEST,
}
# server/src/http_server.cc, HttpCodeFromError
_TRITON_STATUS = {
    TritonCode.INTERNAL: 500,
    TritonCode.NOT_FOUND: 404,
    TritonCode.UNAVAILABLE: 503,
    TritonCode.UNIMPLEMENTED: 501,
}
_PATHS = "the endpoints are listed at /"


def status_of(error: BaseException) -> int:
    """The status of an error; 500 for one that nobody foresaw."""
    if isinstance(error, TritonRejected):
        return _TRITON_STATUS.get(error.code, 400)
    if isinstance(error, HTTPException):
        return error.status_code
    return next((_STATUS[kind] for kind in type(error).__mro__ if kind in _STATUS), 500)


def is_foreseen(error: BaseException) -> bool:
    """Whether the error's words are meant for the client."""
    return isinstance(error, HTTPException) or any(kind in _STATUS for kind in type(error).__mro__)


def error_response(error: BaseException, request_id: str) -> Response:
    """The answer to a request that failed, ``{"error": "..."}``."""
    status = status_of(error)
    headers = dict(error.headers or {}) if isinstance(error, HTTPException) else {}
    if isinstance(error, QueueFull | MemoryFull):
        headers["Retry-After"] = str(RETRY_AFTER_SECONDS)
    if isinstance(error, Unauthenticated):
        headers["WWW-Authenticate"] = "Bearer"
    body = write_json({"error": _words(error, request_id)})
    if isinstance(error, PayloadTooLarge | BodyTimeout | MemoryFull | Unauthenticated):
        headers["Connection"] = "close"  # the rest of the body is not wanted
        return LingeringResponse(body, status, headers, media_type="application/json")
    return Response(body, status, headers, media_type="application/json")


def _words(error: BaseException, request_id: str) -> str:
    if isinstance(error, HTTPException):
        return f"{error.detail}; {_PATHS}"
    if is_foreseen(error):
        return str(error)
    return f"internal error; the gateway's log has the details under request id {request_id}"
