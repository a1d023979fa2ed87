"""Tensors computed beforehand, in shared memory that Triton knows: what is left is Triton and the model."""

import asyncio
import math
import os
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray

from contracts.model_card import ModelCard
from gateway.cuda.device_frame_memory import DeviceFrameMemory
from gateway.errors import TritonRejected
from gateway.frame_memory import FrameMemory, HostFrameMemory
from gateway.frames.preparation import prepare_input
from gateway.oip import service_pb2
from gateway.triton.connection import TritonConnection
from gateway.triton.frame_client import FrameClient
from gateway.triton.model_config import parse_config, raw_output_shape
from vision.prepare import DEFAULT_MAX_PIXELS

if TYPE_CHECKING:
    from gateway.cuda.device import CudaDevice

_UNREGISTER_ATTEMPTS, _UNREGISTER_PAUSE_SECONDS = 100, 0.1


class TensorRegion:
    """A registered region with one slot per frame, for as long as the context lasts.

    Args:
        address: ``host:port`` of Triton's gRPC endpoint.
        build: Build directory of the model; its name is the model's.
        frames: Encoded pictures.
        device: The GPU that it is to lie on; a raw output of known shape is written into it then. None: in /dev/shm.

    Attributes:
        requests: A serialised inference request per frame.
    """

    def __init__(self, address: str, build: Path, frames: Sequence[bytes], device: "CudaDevice | None" = None) -> None:
        card = ModelCard.model_validate_json((build / "card.json").read_bytes())
        self._address = address
        raw = raw_output_shape(parse_config((build / "config.pbtxt").read_bytes()), card.output)
        output_bytes = 4 * math.prod(raw) if raw and device is not None else 0
        tensors = [_tensor_of(frame, card) for frame in frames]
        name = f"outpost-bench-{os.getpid()}"
        self._memory = (
            _host_memory(name, tensors) if device is None else _device_memory(device, name, tensors, output_bytes)
        )
        self.requests = [self._request(build.name, card, slot, output_bytes) for slot in range(len(frames))]

    def _request(self, model: str, card: ModelCard, slot: int, output_bytes: int) -> bytes:
        request = service_pb2.ModelInferRequest(model_name=model)
        tensor = request.inputs.add(name=card.input.name, datatype=card.input.datatype, shape=card.input.shape)
        self._place(tensor, self._memory.offset(slot), card.input.size_bytes)
        if output_bytes:
            self._place(request.outputs.add(name=card.output.name), self._memory.output_offset(slot), output_bytes)
        return bytes(request.SerializeToString())

    def _place(self, tensor: Any, offset: int, size_bytes: int) -> None:
        tensor.parameters["shared_memory_region"].string_param = self._memory.name
        tensor.parameters["shared_memory_offset"].int64_param = offset
        tensor.parameters["shared_memory_byte_size"].int64_param = size_bytes

    async def __aenter__(self) -> Self:
        connection = TritonConnection(self._address)
        try:
            await FrameClient(connection).register(self._memory)
        finally:
            await connection.close()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        connection = TritonConnection(self._address)
        try:
            await self._unregister(FrameClient(connection))
        finally:
            await connection.close()
            self._memory.retire()

    async def _unregister(self, client: FrameClient) -> None:
        # Triton lets go of a request's tensors a moment after it has answered
        for _ in range(_UNREGISTER_ATTEMPTS - 1):
            try:
                await client.unregister(self._memory)
            except TritonRejected:
                await asyncio.sleep(_UNREGISTER_PAUSE_SECONDS)
            else:
                return
        await client.unregister(self._memory)


def _tensor_of(frame: bytes, card: ModelCard) -> NDArray[np.uint8]:
    tensor = np.empty(card.input.shape, np.uint8)
    prepare_input(frame, card.input, tensor, DEFAULT_MAX_PIXELS)
    return tensor


def _host_memory(name: str, tensors: Sequence[NDArray[np.uint8]]) -> FrameMemory:
    memory = HostFrameMemory(name, len(tensors), tensors[0].nbytes)
    for slot, tensor in enumerate(tensors):
        memory.array(slot, tensor.shape, np.uint8)[:] = tensor
    return memory


def _device_memory(
    device: "CudaDevice", name: str, tensors: Sequence[NDArray[np.uint8]], output_bytes: int
) -> FrameMemory:
    from gateway.cuda.device_outputs import DeviceOutputs  # noqa: PLC0415 - numba, where there is a GPU

    memory = DeviceFrameMemory(device, DeviceOutputs(device), name, len(tensors), tensors[0].nbytes, output_bytes)
    with device.in_use("copy tensors"):
        for slot, tensor in enumerate(tensors):
            begin = memory.offset(slot)
            memory.values[begin : begin + tensor.nbytes].copy_to_device(tensor.ravel())
    return memory
