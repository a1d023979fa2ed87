"""Raw pass-through: a caller's tensors to a build, Triton's answer back, unchanged."""

from collections.abc import Mapping

from google.protobuf.message import Message

from gateway.messages import InferRequest, InferResponse
from gateway.oip import service_pb2
from gateway.oip.conversion import request_to_proto, response_from_proto
from gateway.triton.connection import TritonConnection, triton_errors

_METADATA_SECONDS = 5.0


class TensorClient:
    """Forwards requests of the protocol to Triton.

    Args:
        connection: Channel to Triton.
    """

    def __init__(self, connection: TritonConnection) -> None:
        self._connection = connection

    async def infer(self, request: InferRequest, timeout_seconds: float) -> InferResponse:
        """Run a build on tensors.

        Raises:
            TritonUnavailable, InstanceLost, DeadlineExceeded, TritonRejected: See ``triton_errors``.
        """
        with triton_errors(request.model):
            response = await self._connection.stub.ModelInfer(request_to_proto(request), timeout=timeout_seconds)
        return response_from_proto(response)

    async def output_datatypes(self, model: str) -> Mapping[str, str]:
        """Datatype of each output of a loaded build.

        Raises:
            TritonUnavailable, DeadlineExceeded, TritonRejected: See ``triton_errors``.
        """
        request = service_pb2.ModelMetadataRequest(name=model)
        with triton_errors(model):
            answer = await self._connection.stub.ModelMetadata(request, timeout=_METADATA_SECONDS)
        return {output.name: output.datatype for output in answer.outputs}

    async def answered(self, model: str) -> int:
        """How many requests the loaded build has answered.

        Raises:
            TritonUnavailable, DeadlineExceeded, TritonRejected: See ``triton_errors``.
        """
        request = service_pb2.ModelStatisticsRequest(name=model)
        with triton_errors(model):
            answer = await self._connection.stub.ModelStatistics(request, timeout=_METADATA_SECONDS)
        return sum(int(one.inference_stats.success.count) for one in answer.model_stats)

    async def call(self, method: str, message: Message, timeout_seconds: float) -> Message:
        """Forward a read-only call (metadata, config, statistics, index) as it is.

        Raises:
            TritonUnavailable, DeadlineExceeded, TritonRejected: See ``triton_errors``.
        """
        with triton_errors(getattr(message, "name", "")):
            answer: Message = await getattr(self._connection.stub, method)(message, timeout=timeout_seconds)
        return answer
