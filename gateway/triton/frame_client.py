"""The hot path: one frame's tensor, already in its slot, through the model."""

import math

import numpy as np
from numpy.typing import NDArray
from tritonclient.grpc import service_pb2

from contracts.model_card import ModelCard
from gateway.errors import InvalidModelOutput, RegionLost, TritonRejected
from gateway.frame_memory import FrameMemory
from gateway.triton.connection import TritonConnection, triton_errors

_REGION_GONE_MARK = "Unable to find shared memory region"


class FrameClient:
    """Sends prepared slots to Triton. Requests are built once per build and slot, then sent again and again.

    Args:
        connection: Channel to Triton.
    """

    def __init__(self, connection: TritonConnection) -> None:
        self._connection = connection
        self._requests: dict[tuple[str, str | None, int], service_pb2.ModelInferRequest] = {}

    def forget(self) -> None:
        """Drop the prepared requests, after builds or regions changed."""
        self._requests.clear()

    async def register(self, memory: FrameMemory) -> None:
        """Make a region known to Triton, by its name.

        Raises:
            TritonRejected: Triton cannot open it (another host, another /dev/shm, or not allowed).
            TritonUnavailable: Nobody answered.
        """
        request = service_pb2.SystemSharedMemoryRegisterRequest(
            name=memory.name, key=f"/{memory.name}", offset=0, byte_size=memory.size_bytes
        )
        with triton_errors(str(memory.name)):
            await self._connection.stub.SystemSharedMemoryRegister(request, timeout=5.0, wait_for_ready=True)

    async def unregister(self, name: str) -> None:
        """Make Triton forget a region.

        Raises:
            TritonRejected: The region is in use.
            TritonUnavailable: Nobody answered.
        """
        with triton_errors(name):
            await self._connection.stub.SystemSharedMemoryUnregister(
                service_pb2.SystemSharedMemoryUnregisterRequest(name=name), timeout=5.0
            )

    async def infer(
        self, build: str, card: ModelCard, memory: FrameMemory, slot: int, timeout_seconds: float
    ) -> NDArray[np.float32]:
        """Run one prepared frame.

        Returns:
            The output named by the card, FP32, without the batch axis.

        Raises:
            TritonUnavailable: Nobody answered.
            RegionLost: Triton does not know the region (any more).
            InstanceLost: The instance died under the request.
            DeadlineExceeded: ``timeout_seconds`` were over.
            TritonRejected: Triton's own answer.
            InvalidModelOutput: The answer is not one FP32 tensor.
        """
        request = self._request(build, card, memory, slot)
        try:
            with triton_errors(build):
                response = await self._connection.stub.ModelInfer(request, timeout=timeout_seconds)
        except TritonRejected as error:
            if _REGION_GONE_MARK in error.message:
                raise RegionLost(str(memory.name)) from error
            raise
        return _first_output(response, build, card.output.name)

    def _request(self, build: str, card: ModelCard, memory: FrameMemory, slot: int) -> service_pb2.ModelInferRequest:
        if memory.name is None:
            return _request_with_tensor(build, card, memory, slot)
        key = (build, memory.name, slot)
        request = self._requests.get(key)
        if request is None:
            request = self._requests[key] = _request_with_region(build, card, memory, slot)
        return request


def _request_with_tensor(build: str, card: ModelCard, memory: FrameMemory, slot: int) -> service_pb2.ModelInferRequest:
    request = service_pb2.ModelInferRequest(model_name=build)
    request.inputs.add(name=card.input.name, datatype=card.input.datatype, shape=card.input.shape)
    request.outputs.add(name=card.output.name)
    request.raw_input_contents.append(memory.array(slot, (card.input.size_bytes,), np.uint8).tobytes())
    return request


def _request_with_region(build: str, card: ModelCard, memory: FrameMemory, slot: int) -> service_pb2.ModelInferRequest:
    request = service_pb2.ModelInferRequest(model_name=build)
    tensor = request.inputs.add(name=card.input.name, datatype=card.input.datatype, shape=card.input.shape)
    tensor.parameters["shared_memory_region"].string_param = memory.name
    tensor.parameters["shared_memory_offset"].int64_param = memory.offset(slot)
    tensor.parameters["shared_memory_byte_size"].int64_param = card.input.size_bytes
    request.outputs.add(name=card.output.name)
    return request


def _first_output(response: service_pb2.ModelInferResponse, build: str, name: str) -> NDArray[np.float32]:
    if len(response.outputs) != 1 or len(response.raw_output_contents) != 1:
        raise InvalidModelOutput(build, f"expected one tensor '{name}', got {len(response.outputs)}")
    tensor = response.outputs[0]
    if tensor.datatype != "FP32" or len(tensor.shape) < 2 or tensor.shape[0] != 1:
        raise InvalidModelOutput(
            build, f"expected '{name}' as FP32 with a batch axis of 1, got {tensor.datatype} {list(tensor.shape)}"
        )
    values = np.frombuffer(response.raw_output_contents[0], dtype=np.float32)
    if values.size != math.prod(tensor.shape):
        raise InvalidModelOutput(build, f"'{name}' of shape {list(tensor.shape)} has {values.size} values")
    return values.reshape(tuple(tensor.shape[1:]))
