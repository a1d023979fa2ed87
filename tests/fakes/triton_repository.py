"""Triton's repository calls on a loopback port: it takes every load, or refuses them with one sentence.

Like the real one it gives a config back as it was sent, with defaults of its own.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import grpc
from google.protobuf import json_format
from tritonclient.grpc import model_config_pb2, service_pb2, service_pb2_grpc

_ANY_SIZE = (("grpc.max_receive_message_length", -1),)


@dataclass
class TritonRepository(service_pb2_grpc.GRPCInferenceServiceServicer):  # type: ignore[misc]
    """Attributes:
    refusal: Why loads fail; empty where they do not.
    keeps: Why unloads fail; empty where they do not.
    secret: Models whose config it refuses, as if they were unloaded after one had asked for them.
    hold: Loads that it finishes only when their event is set, by model.
    loads: What was asked, in order.
    serves: The load that serves, by model: a refused one leaves what was there.
    unloads: Models that were unloaded, in order.
    """

    refusal: str = ""
    keeps: str = ""
    secret: set[str] = field(default_factory=set)
    hold: dict[str, asyncio.Event] = field(default_factory=dict)
    serves: dict[str, service_pb2.RepositoryModelLoadRequest] = field(default_factory=dict)
    loads: list[service_pb2.RepositoryModelLoadRequest] = field(default_factory=list)
    unloads: list[str] = field(default_factory=list)

    async def ServerLive(self, request: Any, context: Any) -> Any:  # noqa: N802 - the name in the protocol
        return service_pb2.ServerLiveResponse(live=True)

    async def ServerMetadata(self, request: Any, context: Any) -> Any:  # noqa: N802 - the name in the protocol
        return service_pb2.ServerMetadataResponse(name="stand-in", version="2.51.0")

    async def RepositoryModelLoad(self, request: Any, context: Any) -> Any:  # noqa: N802 - the name in the protocol
        self.loads.append(request)
        if request.model_name in self.hold:
            await self.hold[request.model_name].wait()
        if self.refusal:
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, self.refusal)
        self.serves[request.model_name] = request
        return service_pb2.RepositoryModelLoadResponse()

    async def ModelReady(self, request: Any, context: Any) -> Any:  # noqa: N802 - the name in the protocol
        return service_pb2.ModelReadyResponse(ready=request.name in self.serves)

    async def ModelConfig(self, request: Any, context: Any) -> Any:  # noqa: N802 - the name in the protocol
        if request.name in self.secret:
            await context.abort(grpc.StatusCode.NOT_FOUND, f"Request for unknown model: '{request.name}' is not found")
        config = model_config_pb2.ModelConfig(name=request.name)
        sent = self.serves[request.name].parameters["config"].string_param
        if sent:  # else it is the file's, which is out of sight
            json_format.Parse(sent, config)
        config.version_policy.latest.num_versions = 1
        for number, group in enumerate(config.instance_group):
            group.name = group.name or f"{request.name}_{number}"
        return service_pb2.ModelConfigResponse(config=config)

    async def RepositoryIndex(self, request: Any, context: Any) -> Any:  # noqa: N802 - the name in the protocol
        answer = service_pb2.RepositoryIndexResponse()
        for name in self.serves:
            for version in ("1", "2"):
                answer.models.add(name=name, version=version, state="READY")
        answer.models.add(name="there-1.0.0_x86-cpu")  # in the folder, and not loaded
        return answer

    async def RepositoryModelUnload(self, request: Any, context: Any) -> Any:  # noqa: N802 - the name in the protocol
        self.unloads.append(request.model_name)
        if self.keeps:
            await context.abort(grpc.StatusCode.INTERNAL, self.keeps)
        self.serves.pop(request.model_name, None)
        return service_pb2.RepositoryModelUnloadResponse()


@asynccontextmanager
async def running_repository(repository: TritonRepository) -> AsyncIterator[str]:
    """Serve until the end of the block; gives ``host:port``."""
    server = grpc.aio.server(options=_ANY_SIZE)
    service_pb2_grpc.add_GRPCInferenceServiceServicer_to_server(repository, server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        yield f"127.0.0.1:{port}"
    finally:
        await server.stop(None)
