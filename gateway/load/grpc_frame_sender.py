"""Frames over gRPC: requests are serialised once, the answers are read by the generated code alone."""

import struct
from collections.abc import Sequence

import grpc
import grpc.aio

from gateway.load.client_access import PLAIN, ClientAccess
from gateway.load.frame_sender import OK, SendOutcome
from gateway.oip import service_pb2

_METHOD = "/inference.GRPCInferenceService/ModelInfer"
_STAGES = "outpost_stage_us"
_OPTIONS = (
    ("grpc.max_receive_message_length", -1),
    ("grpc.max_send_message_length", -1),
    # a channel of its own for each client, as for cameras that know nothing of each other
    ("grpc.use_local_subchannel_pool", 1),
)


def frame_request(model: str, frame: bytes) -> bytes:
    """A serialised inference request that carries one picture."""
    request = service_pb2.ModelInferRequest(model_name=model)
    request.inputs.add(name="images", datatype="BYTES", shape=[1])
    request.raw_input_contents.append(struct.pack("<I", len(frame)) + frame)
    return bytes(request.SerializeToString())


class GrpcFrameSender:
    """Sends serialised requests, wrapped around, over a few channels.

    Args:
        address: ``host:port``.
        requests: Serialised ``ModelInferRequest`` messages.
        connections: Number of channels; clients take turns.
        timeout_seconds: Deadline of a request.
        access: TLS and token.
    """

    def __init__(
        self,
        address: str,
        requests: Sequence[bytes],
        *,
        connections: int,
        timeout_seconds: float,
        access: ClientAccess = PLAIN,
    ) -> None:
        self._requests = requests
        self._timeout_seconds = timeout_seconds
        self._metadata = access.metadata
        credentials = access.grpc_credentials()
        self._channels = [
            grpc.aio.insecure_channel(address, options=_OPTIONS)
            if credentials is None
            else grpc.aio.secure_channel(address, credentials, options=_OPTIONS)
            for _ in range(connections)
        ]
        self._calls = [
            channel.unary_unary(_METHOD, None, service_pb2.ModelInferResponse.FromString) for channel in self._channels
        ]

    async def send(self, client: int, frame: int) -> SendOutcome:
        """See ``FrameSender.send``."""
        call = self._calls[client % len(self._calls)]
        try:
            request = self._requests[frame % len(self._requests)]
            response = await call(request, timeout=self._timeout_seconds, metadata=self._metadata)
        except grpc.aio.AioRpcError as error:
            return SendOutcome(error.code().name)
        parameters = response.parameters
        return SendOutcome(OK, parameters[_STAGES].string_param if _STAGES in parameters else "")

    async def close(self) -> None:
        """See ``FrameSender.close``."""
        for channel in self._channels:
            await channel.close()
