"""One gRPC channel to Triton, and its failures in our words."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

import grpc
import grpc.aio
from tritonclient.grpc import service_pb2_grpc

from gateway.errors import (
    DeadlineExceeded,
    GatewayError,
    InstanceLost,
    TritonCode,
    TritonRejected,
    TritonUnavailable,
)

_UNLIMITED = -1
_CHANNEL_OPTIONS = (
    ("grpc.max_receive_message_length", _UNLIMITED),
    ("grpc.max_send_message_length", _UNLIMITED),
    ("grpc.use_local_subchannel_pool", 1),
    ("grpc.initial_reconnect_backoff_ms", 50),
    ("grpc.min_reconnect_backoff_ms", 50),
    ("grpc.max_reconnect_backoff_ms", 500),
    ("grpc.optimization_target", "latency"),
)

# What the Python backend says when the process behind an instance is gone.
_LOST_INSTANCE = re.compile(r"Stub process '[^']*' is not healthy")
# What gRPC itself says when nobody is there; Triton's own UNAVAILABLE answers read differently.
_CONNECTION_MARKS = (
    "failed to connect",
    "Connection refused",
    "Connection reset",
    "Socket closed",
    "Broken pipe",
    "GOAWAY",
    "Endpoint closing",
    "Received http2 header",
    "tcp handshaker shutdown",
)


class TritonConnection:
    """The channel and the stub.

    Args:
        address: ``host:port`` of Triton's gRPC endpoint.
    """

    def __init__(self, address: str) -> None:
        self.address = address
        self._channel = grpc.aio.insecure_channel(address, options=_CHANNEL_OPTIONS)
        self.stub = service_pb2_grpc.GRPCInferenceServiceStub(self._channel)

    async def close(self) -> None:
        """Close the channel; calls in flight are cancelled."""
        await self._channel.close()


@contextmanager
def triton_errors(model: str) -> Iterator[None]:
    """Translate gRPC's failures for a call about ``model``.

    Raises:
        TritonUnavailable: Nobody answered.
        InstanceLost: The instance's process died under the request.
        DeadlineExceeded: The call's time was over.
        TritonRejected: Triton's own answer.
    """
    try:
        yield
    except grpc.aio.AioRpcError as error:
        raise translate(error.code(), error.details() or "", model) from error


def translate(code: grpc.StatusCode, details: str, model: str) -> GatewayError:
    """The error of ours that a status of gRPC means."""
    if code == grpc.StatusCode.DEADLINE_EXCEEDED:
        return DeadlineExceeded("infer")
    if code == grpc.StatusCode.UNAVAILABLE and any(mark in details for mark in _CONNECTION_MARKS):
        return TritonUnavailable(details)
    if code == grpc.StatusCode.INTERNAL and _LOST_INSTANCE.search(details):
        return InstanceLost(model, details)
    return TritonRejected(TritonCode.__members__.get(code.name, TritonCode.UNKNOWN), details)
