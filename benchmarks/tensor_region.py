"""Tensors computed beforehand, in shared memory that Triton knows: what is left is Triton and the model."""

import asyncio
import os
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import grpc.aio
import numpy as np

from contracts.model_card import ModelCard
from gateway.frame_memory import HostFrameMemory
from gateway.frames.preparation import prepare_input
from gateway.oip import service_pb2, service_pb2_grpc
from vision.prepare import DEFAULT_MAX_PIXELS

_UNREGISTER_ATTEMPTS, _UNREGISTER_PAUSE_SECONDS = 100, 0.1


class TensorRegion:
    """A registered region with one slot per frame, for as long as the context lasts.

    Args:
        address: ``host:port`` of Triton's gRPC endpoint.
        build: Build directory of the model; its name is the model's.
        frames: Encoded pictures.

    Attributes:
        requests: A serialised inference request per frame.
    """

    def __init__(self, address: str, build: Path, frames: Sequence[bytes]) -> None:
        card = ModelCard.model_validate_json((build / "card.json").read_bytes())
        self._address = address
        self._memory = HostFrameMemory(f"outpost-bench-{os.getpid()}", len(frames), card.input.size_bytes)
        for slot, frame in enumerate(frames):
            prepare_input(frame, card.input, self._memory.array(slot, card.input.shape, np.uint8), DEFAULT_MAX_PIXELS)
        self.requests = [self._request(build.name, card, slot) for slot in range(len(frames))]

    def _request(self, model: str, card: ModelCard, slot: int) -> bytes:
        request = service_pb2.ModelInferRequest(model_name=model)
        tensor = request.inputs.add(name=card.input.name, datatype=card.input.datatype, shape=card.input.shape)
        tensor.parameters["shared_memory_region"].string_param = self._memory.name
        tensor.parameters["shared_memory_offset"].int64_param = self._memory.offset(slot)
        tensor.parameters["shared_memory_byte_size"].int64_param = card.input.size_bytes
        return bytes(request.SerializeToString())

    async def __aenter__(self) -> Self:
        request = service_pb2.SystemSharedMemoryRegisterRequest(
            name=self._memory.name, key=f"/{self._memory.name}", byte_size=self._memory.size_bytes
        )
        async with grpc.aio.insecure_channel(self._address) as channel:
            await service_pb2_grpc.GRPCInferenceServiceStub(channel).SystemSharedMemoryRegister(request, timeout=5.0)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            async with grpc.aio.insecure_channel(self._address) as channel:
                await self._unregister(service_pb2_grpc.GRPCInferenceServiceStub(channel))
        finally:
            self._memory.retire()

    async def _unregister(self, stub: service_pb2_grpc.GRPCInferenceServiceStub) -> None:
        # Triton lets go of a request's tensors a moment after it has answered
        request = service_pb2.SystemSharedMemoryUnregisterRequest(name=self._memory.name)
        for _ in range(_UNREGISTER_ATTEMPTS - 1):
            try:
                await stub.SystemSharedMemoryUnregister(request, timeout=5.0)
                return
            except grpc.aio.AioRpcError as error:
                if "in use" not in (error.details() or ""):
                    raise
            await asyncio.sleep(_UNREGISTER_PAUSE_SECONDS)
        await stub.SystemSharedMemoryUnregister(request, timeout=5.0)
