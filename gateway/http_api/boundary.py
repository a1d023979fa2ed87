"""The outermost layer of the HTTP server: request ids, errors, metrics and the log."""

import asyncio
import itertools
import logging
import re
import secrets
import time
from collections.abc import Callable

from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway.access.bearer_tokens import BearerTokens
from gateway.body_budget import BodyBudget
from gateway.body_hold import BodyHold
from gateway.http_api.exchange import Exchange
from gateway.http_api.lingering_response import LingeringResponse
from gateway.http_api.status import CLIENT_CLOSED_REQUEST, GatewayStopping, error_response, is_foreseen, status_of
from gateway.metrics import ServingMetrics
from gateway.rejections import rejection_reason

REQUEST_ID = b"x-request-id"
OPEN_PATHS = frozenset({"/v2/health/live", "/v2/health/ready"})
"""What load balancers and orchestrators ask needs no token: it tells nothing but yes or no."""
_SANE_ID = re.compile(rb"[A-Za-z0-9._:@/+=-]{1,128}")
_LOG = logging.getLogger(__name__)


class HttpBoundary:
    """Gives every request an id, an answer, a count and, where it failed, a line in the log.

    Args:
        app: Routes; they raise errors of ours and of Starlette.
        metrics: Counts requests about models.
        bodies: Memory for the bodies of requests in work.
        tokens: That requests need; None asks for none.
        log_all: Write a line for successful requests too.
        clock: Monotonic seconds.
    """

    def __init__(
        self,
        app: ASGIApp,
        metrics: ServingMetrics,
        bodies: BodyBudget,
        *,
        tokens: BearerTokens | None = None,
        log_all: bool = False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._app = app
        self._metrics = metrics
        self._bodies = bodies
        self._tokens = tokens
        self._log_all = log_all
        self._clock = clock
        self._id_prefix = secrets.token_hex(6)
        self._numbers = itertools.count(1)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            return
        exchange = self._begin(scope)
        id_header = (REQUEST_ID, exchange.request_id.encode())

        async def send_with_id(message: Message) -> None:
            if message["type"] == "http.response.start":
                exchange.status = message["status"]
                message["headers"].append(id_header)
            await send(message)

        error: BaseException | None = None
        answer: Response | None = None
        try:
            if self._tokens is not None and scope["path"] not in OPEN_PATHS:
                self._tokens.require(exchange.header(b"authorization"))
            await self._app(scope, receive, send_with_id)
        except (Exception, asyncio.CancelledError) as raised:  # noqa: BLE001 - the last one who can answer
            error = GatewayStopping() if isinstance(raised, asyncio.CancelledError) else raised
            if exchange.status == 0:
                answer = await _answer(error, exchange, scope, receive, send_with_id)
        finally:
            exchange.body.release()
        self._record(exchange, scope, error)
        if isinstance(answer, LingeringResponse):
            await answer.finish(receive, send)

    def _begin(self, scope: Scope) -> Exchange:
        headers = dict(scope["headers"])
        given = headers.get(REQUEST_ID)
        if given is not None and _SANE_ID.fullmatch(given):
            request_id = given.decode("ascii")
        else:
            request_id = f"{self._id_prefix}-{next(self._numbers)}"
        exchange = Exchange(request_id, self._clock(), headers, BodyHold(self._bodies))
        exchange.attach(scope)  # type: ignore[arg-type]
        scope["app"] = self  # the router then raises for unknown paths and methods, instead of answering in plain text
        return exchange

    def _record(self, exchange: Exchange, scope: Scope, error: BaseException | None) -> None:
        seconds = self._clock() - exchange.began_at
        if exchange.model:
            metrics = self._metrics
            metrics.requests.labels(exchange.model, exchange.build, "http", str(exchange.status)).inc()
            metrics.request_seconds.labels(exchange.model, "http").observe(seconds)
        reason = None if error is None else rejection_reason(error)
        if reason is not None:
            self._metrics.rejections.labels(reason).inc()
        if error is not None or self._log_all:
            _log(exchange, scope, error, seconds)


async def _answer(
    error: BaseException, exchange: Exchange, scope: Scope, receive: Receive, send: Send
) -> Response | None:
    if status_of(error) == CLIENT_CLOSED_REQUEST:
        exchange.status = CLIENT_CLOSED_REQUEST
        return None
    answer = error_response(error, exchange.request_id)
    await answer(scope, receive, send)
    return answer


def _log(exchange: Exchange, scope: Scope, error: BaseException | None, seconds: float) -> None:
    facts = {
        "request_id": exchange.request_id,
        "protocol": "http",
        "method": scope["method"],
        "path": scope["path"],
        "status": exchange.status,
        "model": exchange.model,
        "build": exchange.build,
        "seconds": round(seconds, 6),
    }
    if error is None:
        _LOG.info("request answered", extra=facts)
    elif is_foreseen(error):
        level = logging.WARNING if exchange.status >= 500 else logging.INFO
        _LOG.log(level, "request failed", extra=facts | {"kind": type(error).__name__, "error": str(error)})
    else:
        _LOG.error("request failed unexpectedly", extra=facts | {"kind": type(error).__name__}, exc_info=error)
