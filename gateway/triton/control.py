"""Loading, unloading and looking at models: used by the supervisor alone."""

import json
from collections.abc import Mapping
from dataclasses import dataclass

from gateway.errors import GatewayError, TritonCode, TritonRejected
from gateway.oip import model_config_pb2, service_pb2
from gateway.triton.connection import TritonConnection, triton_errors


@dataclass(frozen=True, slots=True)
class IndexEntry:
    """One line of Triton's repository index."""

    name: str
    state: str
    reason: str

    @property
    def is_ready(self) -> bool:
        """Whether it is loaded."""
        return self.state == "READY"


class TritonControl:
    """Triton's model repository extension.

    Args:
        connection: Channel to Triton.
    """

    def __init__(self, connection: TritonConnection) -> None:
        self._connection = connection

    async def is_live(self, timeout_seconds: float = 1.0) -> bool:
        """Whether Triton answers at all."""
        try:
            with triton_errors(""):
                answer = await self._connection.stub.ServerLive(
                    service_pb2.ServerLiveRequest(), timeout=timeout_seconds
                )
        except GatewayError:
            return False
        return bool(answer.live)

    async def server_name(self, timeout_seconds: float) -> str | None:
        """The id that the server was started with, or None where nobody answers."""
        try:
            with triton_errors(""):
                answer = await self._connection.stub.ServerMetadata(
                    service_pb2.ServerMetadataRequest(), timeout=timeout_seconds
                )
        except GatewayError:
            return None
        return str(answer.name)

    async def server_version(self) -> str:
        """Triton's version, as it says.

        Raises:
            TritonUnavailable: Nobody answered.
        """
        with triton_errors(""):
            answer = await self._connection.stub.ServerMetadata(service_pb2.ServerMetadataRequest(), timeout=5.0)
        return str(answer.version)

    async def load(
        self,
        model: str,
        config: Mapping[str, object] | None,
        timeout_seconds: float = 600.0,
        *,
        files: Mapping[str, bytes] | None = None,
    ) -> None:
        """Load a model, or load it again; the running one serves until the new one is ready.

        Args:
            model: Name of its directory in the repository.
            config: Model config (JSON form) that replaces the one in ``config.pbtxt``, or None.
            timeout_seconds: Time for the load, warm-up included.
            files: By path in the model's directory. They are then all that Triton sees of it, from a copy of its own
                that it removes after the model is unloaded; they need a ``config``.

        Raises:
            TritonRejected: It does not load, in Triton's words.
            TritonUnavailable: Nobody answered.
        """
        request = service_pb2.RepositoryModelLoadRequest(model_name=model)
        if config is not None:
            request.parameters["config"].string_param = json.dumps(config)
        for path, content in (files or {}).items():
            request.parameters[f"file:{path}"].bytes_param = content
        with triton_errors(model):
            await self._connection.stub.RepositoryModelLoad(request, timeout=timeout_seconds)

    async def unload(self, model: str) -> None:
        """Unload a model; requests in work are finished first.

        Raises:
            TritonRejected: Triton refuses.
            TritonUnavailable: Nobody answered.
        """
        with triton_errors(model):
            await self._connection.stub.RepositoryModelUnload(
                service_pb2.RepositoryModelUnloadRequest(model_name=model), timeout=30.0
            )

    async def is_ready(self, model: str) -> bool:
        """Whether Triton says that the model is ready. Blind for a dead backend process.

        Raises:
            TritonUnavailable: Nobody answered.
        """
        try:
            with triton_errors(model):
                answer = await self._connection.stub.ModelReady(service_pb2.ModelReadyRequest(name=model), timeout=5.0)
        except TritonRejected as error:
            if error.code in (TritonCode.NOT_FOUND, TritonCode.UNAVAILABLE):
                return False
            raise
        return bool(answer.ready)

    async def config(self, model: str) -> model_config_pb2.ModelConfig:
        """The config of a loaded model.

        Raises:
            TritonRejected: The model is not loaded.
            TritonUnavailable: Nobody answered.
        """
        with triton_errors(model):
            answer = await self._connection.stub.ModelConfig(service_pb2.ModelConfigRequest(name=model), timeout=5.0)
        return answer.config

    async def index(self) -> tuple[IndexEntry, ...]:
        """Every model that Triton knows of.

        Raises:
            TritonUnavailable: Nobody answered.
        """
        with triton_errors(""):
            answer = await self._connection.stub.RepositoryIndex(service_pb2.RepositoryIndexRequest(), timeout=5.0)
        return tuple(IndexEntry(model.name, model.state, model.reason) for model in answer.models)
