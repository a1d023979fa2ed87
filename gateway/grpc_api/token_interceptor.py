"""Asks every gRPC call for a bearer token."""

import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import grpc
import grpc.aio
from grpc.aio import ServicerContext

from gateway.access.bearer_tokens import BearerTokens
from gateway.errors import Unauthenticated
from gateway.grpc_api.status import grpc_status_of
from gateway.metrics import ServingMetrics
from gateway.rejections import rejection_reason

OPEN_METHODS = frozenset(
    {
        "/inference.GRPCInferenceService/ServerLive",
        "/inference.GRPCInferenceService/ServerReady",
        "/grpc.health.v1.Health/Check",
    }
)
"""What load balancers and orchestrators ask needs no token: it tells nothing but yes or no."""
_LOG = logging.getLogger(__name__)


class TokenInterceptor(grpc.aio.ServerInterceptor):  # type: ignore[misc]  # grpc has no types
    """Lets a call pass whose metadata `authorization` has one of the tokens; the request is not read before.

    Args:
        tokens: Those that are good.
        metrics: Counts refusals.
    """

    def __init__(self, tokens: BearerTokens, metrics: ServingMetrics) -> None:
        self._tokens, self._metrics = tokens, metrics

    async def intercept_service(
        self, continuation: Callable[[Any], Awaitable[Any]], call: grpc.HandlerCallDetails
    ) -> Any:
        """See ``grpc.aio.ServerInterceptor``."""
        handler = await continuation(call)
        if handler is None or call.method in OPEN_METHODS:
            return handler
        given = dict(call.invocation_metadata or ()).get("authorization")
        try:
            self._tokens.require(given if isinstance(given, str) else None)
        except Unauthenticated as error:
            self._metrics.rejections.labels(rejection_reason(error)).inc()
            _LOG.info("request failed", extra={"protocol": "grpc", "method": call.method, "error": str(error)})
            return _refusing(handler, error)
        return handler


def _refusing(handler: Any, error: Unauthenticated) -> Any:
    """A handler of the same kind that ends every call with the error."""

    async def refuse(_requests: Any, context: ServicerContext) -> Any:
        await context.abort(grpc_status_of(error), str(error))

    async def refuse_stream(_requests: Any, context: ServicerContext) -> AsyncIterator[Any]:
        await context.abort(grpc_status_of(error), str(error))
        yield

    if handler.request_streaming and handler.response_streaming:
        return grpc.stream_stream_rpc_method_handler(refuse_stream)
    # as a call with a stream of requests, so that not even the one message is taken in
    return grpc.stream_unary_rpc_method_handler(refuse)
