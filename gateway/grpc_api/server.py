"""The Open Inference Protocol over gRPC, as Triton speaks it."""

import asyncio
import logging
import secrets
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from typing import Any

import grpc
import grpc.aio
from grpc.aio import ServicerContext

from gateway.access.bearer_tokens import BearerTokens
from gateway.alias_metadata import alias_config, alias_metadata, index_with_aliases, server_metadata
from gateway.alias_statistics import alias_statistics
from gateway.body_budget import BodyBudget
from gateway.body_hold import BodyHold
from gateway.catalogue import Catalogue
from gateway.errors import BadRequest, GatewayError, Unforeseen, UnknownModel
from gateway.grpc_api.closed_calls import ClosedCalls
from gateway.grpc_api.health import health_handler
from gateway.grpc_api.protocol_handler import protocol_handler
from gateway.grpc_api.status import grpc_status_of, trailing_metadata_of
from gateway.grpc_api.token_interceptor import TokenInterceptor
from gateway.inference.service import InferenceService
from gateway.messages import InferRequest
from gateway.metrics import ServingMetrics
from gateway.oip import service_pb2
from gateway.oip.conversion import request_from_proto, response_to_proto
from gateway.rejections import rejection_reason
from gateway.request_deadline import deadline_of
from gateway.start_errors import PortTaken
from gateway.triton.tensor_client import TensorClient

_LOG = logging.getLogger(__name__)
_CALL_SECONDS = 10.0
_NAME_LIMIT = 80


class OipServicer(ClosedCalls):
    """Aliases are answered by the gateway, names of builds pass through to Triton.

    Args:
        catalogue: Returns the current snapshot.
        service: The workflow.
        tensors: For calls that are passed on.
        metrics: Counts requests.
        bodies: Memory for the messages of requests in work.
        log_all: Whether answered requests get a line in the log too.
        clock: Monotonic seconds.
    """

    def __init__(
        self,
        catalogue: Callable[[], Catalogue],
        service: InferenceService,
        tensors: TensorClient,
        metrics: ServingMetrics,
        bodies: BodyBudget,
        *,
        log_all: bool = False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._catalogue = catalogue
        self._service = service
        self._tensors = tensors
        self.metrics = metrics
        self._bodies = bodies
        self._log_all = log_all
        self._clock = clock

    def is_ready(self) -> bool:
        """Whether every alias has a build that answers."""
        return self._catalogue().is_ready()

    async def refuse(self, error: BadRequest, context: ServicerContext) -> None:
        """End a call whose message cannot be read."""
        await self._abort(error, "", "", context)

    async def ServerLive(self, _request: Any, _context: ServicerContext) -> service_pb2.ServerLiveResponse:  # noqa: N802
        """The gateway runs."""
        return service_pb2.ServerLiveResponse(live=True)

    async def ServerReady(self, _request: Any, _context: ServicerContext) -> service_pb2.ServerReadyResponse:  # noqa: N802
        """Every alias has a build that answers."""
        return service_pb2.ServerReadyResponse(ready=self.is_ready())

    async def ModelReady(  # noqa: N802
        self, request: service_pb2.ModelReadyRequest, context: ServicerContext
    ) -> service_pb2.ModelReadyResponse:
        """The alias or build would answer now."""
        if not self._catalogue().knows(request.name):
            await self._abort(UnknownModel(request.name, self._catalogue().names()), request.name, "", context)
        return service_pb2.ModelReadyResponse(ready=self._catalogue().name_is_ready(request.name))

    async def ServerMetadata(self, _request: Any, _context: ServicerContext) -> service_pb2.ServerMetadataResponse:  # noqa: N802
        """Name, version, extensions."""
        return server_metadata(self._catalogue().triton_version)

    async def ModelMetadata(  # noqa: N802
        self, request: service_pb2.ModelMetadataRequest, context: ServicerContext
    ) -> service_pb2.ModelMetadataResponse:
        """Inputs and outputs."""
        return await self._look_up(request, context, "ModelMetadata", alias_metadata)

    async def ModelConfig(  # noqa: N802
        self, request: service_pb2.ModelConfigRequest, context: ServicerContext
    ) -> service_pb2.ModelConfigResponse:
        """Triton's model config; an alias has one of its own."""

        def config_of(alias: str, catalogue: Catalogue) -> service_pb2.ModelConfigResponse:
            return service_pb2.ModelConfigResponse(config=alias_config(alias, catalogue))

        return await self._look_up(request, context, "ModelConfig", config_of)

    async def ModelStatistics(  # noqa: N802
        self, request: service_pb2.ModelStatisticsRequest, context: ServicerContext
    ) -> service_pb2.ModelStatisticsResponse:
        """Triton's counts; those of an alias are its build's."""
        if self._catalogue().is_alias(request.name):
            return await self._guard(
                alias_statistics(request.name, self._catalogue(), self._tensors), request.name, context
            )
        return await self._guard(self._tensors.call("ModelStatistics", request, _CALL_SECONDS), request.name, context)

    async def RepositoryIndex(  # noqa: N802
        self, request: service_pb2.RepositoryIndexRequest, context: ServicerContext
    ) -> service_pb2.RepositoryIndexResponse:
        """Triton's models and the aliases."""
        answer = await self._guard(self._tensors.call("RepositoryIndex", request, _CALL_SECONDS), "", context)
        return index_with_aliases(answer, self._catalogue(), ready_only=request.ready)

    async def ModelInfer(  # noqa: N802
        self, request: service_pb2.ModelInferRequest, context: ServicerContext
    ) -> service_pb2.ModelInferResponse:
        """One request, one answer."""
        try:
            return await self._answer(request, context.time_remaining())
        except GatewayError as error:
            await context.abort(grpc_status_of(error), str(error), trailing_metadata_of(error))
            raise  # abort has raised already; this tells the type checker

    async def ModelStreamInfer(  # noqa: N802
        self, requests: AsyncIterator[service_pb2.ModelInferRequest], _context: ServicerContext
    ) -> AsyncIterator[service_pb2.ModelStreamInferResponse]:
        """A stream of requests, answered in order, each with one answer (models that give more are not offered)."""
        async for request in requests:
            try:
                answer = await self._answer(request, None)
            except GatewayError as error:
                refused = service_pb2.ModelInferResponse(id=request.id)
                yield service_pb2.ModelStreamInferResponse(error_message=str(error), infer_response=refused)
            else:
                yield service_pb2.ModelStreamInferResponse(infer_response=answer)

    async def _answer(
        self, request: service_pb2.ModelInferRequest, time_remaining: float | None
    ) -> service_pb2.ModelInferResponse:
        began_at = self._clock()
        name = request.model_name
        try:
            with BodyHold(self._bodies) as hold:
                hold.grow(request.ByteSize())
                response = await self._service.infer(self._read(request, time_remaining, began_at))
        except GatewayError as error:
            self._count_error(error, name, request.id, began_at)
            raise
        except asyncio.CancelledError:
            self.metrics.requests.labels(self._label(name), "", "grpc", grpc.StatusCode.CANCELLED.name).inc()
            raise
        except Exception as error:
            unforeseen = Unforeseen(request.id or secrets.token_hex(8))
            _LOG.exception("request failed", extra={"request_id": unforeseen.request_id, "model": name[:_NAME_LIMIT]})
            self._count_error(unforeseen, name, unforeseen.request_id, began_at)
            raise unforeseen from error
        answer = response_to_proto(response)
        self._count_answer(request, str(response.parameters.get("outpost_build", name)), began_at, response.found_at)
        return answer

    def _read(
        self, request: service_pb2.ModelInferRequest, time_remaining: float | None, arrived_at: float
    ) -> InferRequest:
        message = request_from_proto(request)
        limits = [] if time_remaining is None else [arrived_at + time_remaining]
        asked = deadline_of(message.parameters, arrived_at)
        if asked is not None:
            limits.append(asked)
        return replace(message, arrived_at=arrived_at, deadline_at=min(limits, default=None))

    async def _look_up(
        self,
        request: Any,
        context: ServicerContext,
        method: str,
        of_alias: Callable[[str, Catalogue], Any],
    ) -> Any:
        catalogue = self._catalogue()
        if not catalogue.knows(request.name):
            await self._abort(UnknownModel(request.name, catalogue.names()), request.name, "", context)
        if not catalogue.is_alias(request.name):
            return await self._guard(self._tensors.call(method, request, _CALL_SECONDS), request.name, context)
        try:
            return of_alias(request.name, self._catalogue())
        except GatewayError as error:
            await self._abort(error, request.name, "", context)
            raise

    async def _guard(self, call: Awaitable[Any], model: str, context: ServicerContext) -> Any:
        try:
            return await call
        except GatewayError as error:
            await self._abort(error, model, "", context)
            raise

    def _count_answer(
        self, request: service_pb2.ModelInferRequest, build: str, began_at: float, found_at: float | None
    ) -> None:
        now = self._clock()
        name = request.model_name
        self.metrics.requests.labels(name, build, "grpc", "OK").inc()
        self.metrics.request_seconds.labels(name, "grpc").observe(now - began_at)
        if found_at is not None:
            self.metrics.stage_seconds.labels(name, "encode").observe(now - found_at)
        if self._log_all:
            facts = {"request_id": request.id or secrets.token_hex(8), "model": name, "build": build}
            _LOG.info("request answered", extra=facts | {"seconds": round(now - began_at, 6)})

    def _count_error(self, error: GatewayError, name: str, request_id: str, began_at: float | None = None) -> None:
        code = grpc_status_of(error).name
        label = self._label(name)
        self.metrics.requests.labels(label, "", "grpc", code).inc()
        if began_at is not None:
            self.metrics.request_seconds.labels(label, "grpc").observe(self._clock() - began_at)
        reason = rejection_reason(error)
        if reason is not None:
            self.metrics.rejections.labels(reason).inc()
        facts = {"request_id": request_id[:_NAME_LIMIT] or secrets.token_hex(8), "model": name[:_NAME_LIMIT]}
        _LOG.warning("request failed", extra=facts | {"code": code, "error": str(error)})

    def _label(self, name: str) -> str:
        return name if self._catalogue().knows(name) else "unknown"

    async def _abort(self, error: GatewayError, name: str, request_id: str, context: ServicerContext) -> None:
        self._count_error(error, name, request_id)
        await context.abort(grpc_status_of(error), str(error))


class GrpcServer:
    """Listens; shares its port with the other workers.

    Args:
        servicer: Answers the calls.
        address: ``host:port``; port 0 picks a free one.
        max_message_bytes: Largest request.
        credentials: Of TLS; None listens in plain text.
        tokens: That calls need; None asks for none.

    Raises:
        PortTaken: The address cannot be bound.
    """

    def __init__(
        self,
        servicer: OipServicer,
        address: str,
        max_message_bytes: int,
        *,
        credentials: grpc.ServerCredentials | None = None,
        tokens: BearerTokens | None = None,
    ) -> None:
        self._server = grpc.aio.server(
            interceptors=() if tokens is None else (TokenInterceptor(tokens, servicer.metrics),),
            options=(
                ("grpc.max_receive_message_length", max_message_bytes),
                ("grpc.max_send_message_length", -1),
                ("grpc.so_reuseport", 1),
                ("grpc.optimization_target", "latency"),
            ),
        )
        handlers = (protocol_handler(servicer, servicer.refuse), health_handler(servicer.is_ready))
        self._server.add_generic_rpc_handlers(handlers)
        host, _, port = address.rpartition(":")
        try:
            if credentials is None:
                self.port: int = self._server.add_insecure_port(address)
            else:
                self.port = self._server.add_secure_port(address, credentials)
        except RuntimeError as error:
            raise PortTaken("grpc_port", host, int(port), str(error)) from error

    async def start(self) -> None:
        """Take calls."""
        await self._server.start()

    async def stop(self, drain_seconds: float) -> None:
        """Take no more calls, finish those in work for a while, then cancel them."""
        await self._server.stop(drain_seconds)
