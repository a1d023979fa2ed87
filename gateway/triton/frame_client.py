"""The hot path: one frame's tensor, already in its slot, through the model."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tritonclient.grpc import service_pb2

from contracts.model_card import ModelCard
from gateway.device_output import ModelOutput, RawOutput
from gateway.errors import InvalidModelOutput, RegionLost, TritonCode, TritonRejected
from gateway.frame_memory import FrameMemory, HostFrameMemory
from gateway.triton.connection import TritonConnection, triton_errors

_REGION_SECONDS = 5.0
_REGION = "shared_memory_region"
_REGION_GONE_MARK = "Unable to find shared memory region"


class FrameClient:
    """Sends prepared slots to Triton. Requests are built once per build and slot, then sent again and again.

    Args:
        connection: Channel to Triton.
    """

    def __init__(self, connection: TritonConnection) -> None:
        self._connection = connection
        self._requests: dict[tuple[str, str | None, int], _Prepared] = {}

    def forget(self) -> None:
        """Drop the prepared requests, after builds or regions changed."""
        self._requests.clear()

    async def register(self, memory: FrameMemory) -> None:
        """Make a region known to Triton, by its name.

        Raises:
            TritonRejected: Triton cannot open it (another host, another /dev/shm, no GPU, or not allowed).
            TritonUnavailable: Nobody answered.
        """
        handle, stub = memory.device_handle, self._connection.stub
        with triton_errors(str(memory.name)):
            if handle is None:
                region = service_pb2.SystemSharedMemoryRegisterRequest(
                    name=memory.name, key=f"/{memory.name}", offset=0, byte_size=memory.size_bytes
                )
                await stub.SystemSharedMemoryRegister(region, timeout=_REGION_SECONDS, wait_for_ready=True)
            else:
                on_device = service_pb2.CudaSharedMemoryRegisterRequest(
                    name=memory.name, raw_handle=handle.raw, device_id=handle.device_id, byte_size=memory.size_bytes
                )
                await stub.CudaSharedMemoryRegister(on_device, timeout=_REGION_SECONDS, wait_for_ready=True)

    async def unregister(self, memory: FrameMemory) -> None:
        """Make Triton forget a region; one that it does not know is forgotten already.

        Triton also agrees where requests still use the region, and keeps it open until they are done. For memory of a
        GPU, which must not be freed before, that is a refusal.

        Raises:
            TritonRejected: The region is in use.
            TritonUnavailable, DeadlineExceeded: Nobody answered; what became of the region is not known.
        """
        stub = self._connection.stub
        with triton_errors(str(memory.name)):
            if memory.device_handle is None:
                region = service_pb2.SystemSharedMemoryUnregisterRequest(name=memory.name)
                await stub.SystemSharedMemoryUnregister(region, timeout=_REGION_SECONDS)
            else:
                on_device = service_pb2.CudaSharedMemoryUnregisterRequest(name=memory.name)
                await stub.CudaSharedMemoryUnregister(on_device, timeout=_REGION_SECONDS)
                await self._require_closed(str(memory.name))

    async def _require_closed(self, name: str) -> None:
        asked = service_pb2.CudaSharedMemoryStatusRequest()
        known = await self._connection.stub.CudaSharedMemoryStatus(asked, timeout=_REGION_SECONDS)
        if name in known.regions:
            raise TritonRejected(TritonCode.UNAVAILABLE, f"region {name} is open until its requests are done")

    async def infer(
        self, build: str, card: ModelCard, memory: FrameMemory, slot: int, timeout_seconds: float
    ) -> ModelOutput:
        """Run one prepared frame.

        Returns:
            The output named by the card, FP32, without the batch axis; on the GPU where the model has written it into
            the slot.

        Raises:
            TritonUnavailable: Nobody answered.
            RegionLost: Triton does not know the region (any more).
            InstanceLost: The instance died under the request.
            DeadlineExceeded: ``timeout_seconds`` were over.
            TritonRejected: Triton's own answer.
            InvalidModelOutput: The answer is not one FP32 tensor.
        """
        prepared = self._prepared(build, card, memory, slot)
        try:
            with triton_errors(build):
                response = await self._connection.stub.ModelInfer(prepared.request, timeout=timeout_seconds)
        except TritonRejected as error:
            if _REGION_GONE_MARK in error.message:
                raise RegionLost(str(memory.name)) from error
            raise
        if prepared.written is None:
            return _first_output(response, build, card.output.name)
        shape = _shape(response, build, card.output.name)
        if shape != prepared.written.shape:
            expected = prepared.written.shape
            raise InvalidModelOutput(build, f"its config says an output of shape {expected}, it gave {shape}")
        return memory.output(prepared.written, slot)

    def _prepared(self, build: str, card: ModelCard, memory: FrameMemory, slot: int) -> "_Prepared":
        if isinstance(memory, HostFrameMemory) and memory.name is None:
            return _Prepared(_request_with_tensor(build, card, memory, slot), None)
        key = (build, memory.name, slot)
        prepared = self._requests.get(key)
        if prepared is None:
            prepared = self._requests[key] = _prepare(build, card, memory, slot)
        return prepared


@dataclass(frozen=True, slots=True)
class _Prepared:
    """A request, and what its model is to write into the slot."""

    request: service_pb2.ModelInferRequest
    written: RawOutput | None


def _request_with_tensor(
    build: str, card: ModelCard, memory: HostFrameMemory, slot: int
) -> service_pb2.ModelInferRequest:
    request = service_pb2.ModelInferRequest(model_name=build)
    request.inputs.add(name=card.input.name, datatype=card.input.datatype, shape=card.input.shape)
    request.outputs.add(name=card.output.name)
    request.raw_input_contents.append(memory.array(slot, (card.input.size_bytes,), np.uint8).tobytes())
    return request


def _prepare(build: str, card: ModelCard, memory: FrameMemory, slot: int) -> _Prepared:
    request = service_pb2.ModelInferRequest(model_name=build)
    tensor = request.inputs.add(name=card.input.name, datatype=card.input.datatype, shape=card.input.shape)
    _place(tensor, memory.name, memory.offset(slot), card.input.size_bytes)
    output = request.outputs.add(name=card.output.name)
    written = memory.raw_output(build)
    if written is not None:
        _place(output, memory.name, memory.output_offset(slot), written.size_bytes)
    return _Prepared(request, written)


def _place(tensor: Any, region: str | None, offset: int, size_bytes: int) -> None:
    tensor.parameters[_REGION].string_param = region
    tensor.parameters["shared_memory_offset"].int64_param = offset
    tensor.parameters["shared_memory_byte_size"].int64_param = size_bytes


def _first_output(response: service_pb2.ModelInferResponse, build: str, name: str) -> NDArray[np.float32]:
    shape = _shape(response, build, name)
    if len(response.raw_output_contents) != 1:
        raise InvalidModelOutput(build, f"'{name}' did not come in the answer")
    values = np.frombuffer(response.raw_output_contents[0], dtype=np.float32)
    if values.size != math.prod(shape):
        raise InvalidModelOutput(build, f"'{name}' of shape {[1, *shape]} has {values.size} values")
    return values.reshape(shape)


def _shape(response: service_pb2.ModelInferResponse, build: str, name: str) -> tuple[int, ...]:
    """Without the batch axis."""
    if len(response.outputs) != 1:
        raise InvalidModelOutput(build, f"expected one tensor '{name}', got {len(response.outputs)}")
    tensor = response.outputs[0]
    if tensor.datatype != "FP32" or len(tensor.shape) < 2 or tensor.shape[0] != 1:
        raise InvalidModelOutput(
            build, f"expected '{name}' as FP32 with a batch axis of 1, got {tensor.datatype} {list(tensor.shape)}"
        )
    return tuple(tensor.shape[1:])
