"""Senders for a gateway's two protocols."""

from collections.abc import Sequence
from typing import Literal

from gateway.load.client_access import PLAIN, ClientAccess
from gateway.load.frame_sender import FrameSender
from gateway.load.grpc_frame_sender import GrpcFrameSender, frame_request
from gateway.load.http_frame_sender import HttpFrameSender, infer_request


def gateway_sender(
    protocol: Literal["grpc", "http"],
    address: str,
    model: str,
    frames: Sequence[bytes],
    *,
    connections: int,
    timeout_seconds: float,
    access: ClientAccess = PLAIN,
) -> FrameSender:
    """Prepare the requests and a sender for them; to be called inside the event loop that sends.

    Args:
        protocol: Which listener.
        address: ``host:port``.
        model: The alias.
        frames: Encoded pictures.
        connections: gRPC channels; HTTP has one connection per request in work.
        timeout_seconds: Deadline of a request.
        access: TLS and token.
    """
    if protocol == "http":
        requests = [infer_request(address, model, frame, access) for frame in frames]
        return HttpFrameSender(address, requests, timeout_seconds=timeout_seconds, access=access)
    return GrpcFrameSender(
        address,
        [frame_request(model, frame) for frame in frames],
        connections=connections,
        timeout_seconds=timeout_seconds,
        access=access,
    )
