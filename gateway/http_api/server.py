"""The HTTP listener: the app put together, and uvicorn around it."""

import asyncio
import contextlib
import logging
import socket
import ssl
import time
from collections.abc import Callable, Iterator

import uvicorn
from starlette.routing import Router
from starlette.types import ASGIApp
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from gateway.access.bearer_tokens import BearerTokens
from gateway.body_budget import BodyBudget
from gateway.catalogue import Catalogue
from gateway.http_api.boundary import HttpBoundary
from gateway.http_api.deepstack_routes import DeepStackRoutes
from gateway.http_api.picture_routes import PictureRoutes
from gateway.http_api.ports import HttpLimits, HttpPorts, Inference, ModelCalls
from gateway.http_api.protocol_routes import ProtocolRoutes
from gateway.metrics import ServingMetrics
from gateway.settings import Settings

MAX_HEAD_BYTES = 64 * 1024
_KEEP_ALIVE_SECONDS = 75
_BACKLOG = 2048
_DATE_SECONDS = 1.0
_LAST_WORDS_SECONDS = 1.0
_LOG = logging.getLogger(__name__)


def build_http_app(
    catalogue: Callable[[], Catalogue],
    inference: Inference,
    models: ModelCalls,
    metrics: ServingMetrics,
    bodies: BodyBudget,
    settings: Settings,
    *,
    tokens: BearerTokens | None = None,
    clock: Callable[[], float] = time.monotonic,
) -> ASGIApp:
    """Everything that answers on the HTTP port.

    Args:
        catalogue: Returns the current snapshot.
        inference: The workflow.
        models: Triton's read-only calls.
        metrics: Counts requests.
        bodies: Memory for the bodies of requests in work.
        settings: Limits, and what is logged.
        tokens: That requests need; None asks for none.
        clock: Monotonic seconds, the same as the workflow's.
    """
    limits = HttpLimits(
        max_request_bytes=settings.max_request_bytes,
        max_pixels=settings.max_pixels,
        body_timeout_seconds=settings.default_timeout_seconds,
    )
    ports = HttpPorts(inference, models, catalogue, metrics, clock, limits)
    # A router without Starlette's own middleware: the boundary does its work, and each layer costs time.
    sets = (ProtocolRoutes(ports), PictureRoutes(ports), DeepStackRoutes(ports))
    router = Router([route for each in sets for route in each.routes()], redirect_slashes=False)
    log_all = settings.log_requests == "all"
    return HttpBoundary(router, metrics, bodies, tokens=tokens, log_all=log_all, clock=clock)


class HttpServer:
    """Serves an app on a socket that somebody else bound.

    Args:
        app: An ASGI app.
        listener: A bound TCP socket; it is closed at the stop.
        drain_seconds: Time for requests in work at the stop.
        tls: Of the connections; None serves in plain text.
    """

    def __init__(
        self,
        app: ASGIApp,
        listener: socket.socket,
        drain_seconds: float = 5.0,
        *,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._listener = listener
        config = uvicorn.Config(
            app,
            http=_LimitedHeadProtocol,
            ws="none",
            lifespan="off",
            interface="asgi3",
            access_log=False,
            log_config=None,
            proxy_headers=False,
            server_header=False,
            backlog=_BACKLOG,
            timeout_keep_alive=_KEEP_ALIVE_SECONDS,
            timeout_graceful_shutdown=max(1, round(drain_seconds)),
        )
        if tls is not None:
            config.load()  # it takes paths only; this way a replaced certificate can be shown
            config.ssl = tls
        self._server = _Server(config)
        self._serving: asyncio.Task[None] | None = None

    @property
    def port(self) -> int:
        """The port that it listens on."""
        port: int = self._listener.getsockname()[1]
        return port

    async def start(self) -> None:
        """Accept connections. Returns when the first request can be answered.

        Raises:
            OSError: The socket cannot listen.
        """
        self._serving = asyncio.create_task(self._server.serve(sockets=[self._listener]), name="http server")
        while not self._server.started:
            if self._serving.done():
                await self._serving
                raise OSError("the HTTP server ended at its start; its log line says why")
            await asyncio.sleep(0.005)

    async def wait(self) -> None:
        """Until the server has ended, for whatever reason."""
        if self._serving is not None:
            await asyncio.shield(self._serving)

    async def stop(self) -> None:
        """Accept nothing more, let the requests in work finish, then cut off those that are left."""
        if self._serving is None:
            return
        self._server.end()
        await self._serving
        left = list(self._server.server_state.tasks)
        if left:
            await asyncio.wait(left, timeout=_LAST_WORDS_SECONDS)
        for connection in list(self._server.server_state.connections):
            connection.transport.close()


class _Server(uvicorn.Server):
    """uvicorn without signal handlers, for signals have another owner, and without its ticking ten times a second."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self._ended = asyncio.Event()

    def end(self) -> None:
        """Make ``serve`` return, after the requests in work."""
        self.should_exit = True
        self._ended.set()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def main_loop(self) -> None:
        while not await self.on_tick(0):  # writes the date header anew
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._ended.wait(), _DATE_SECONDS)


class _LimitedHeadProtocol(HttpToolsProtocol):
    """uvicorn's protocol with a limit on the request's head, which it lacks."""

    _head_bytes = 0
    _in_head = True

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if not self._in_head:
            return
        self._head_bytes += len(data)
        if self._head_bytes > MAX_HEAD_BYTES and not self.transport.is_closing():
            _LOG.info("request head over the limit", extra={"limit_bytes": MAX_HEAD_BYTES})
            self.send_400_response(f"request head over the limit of {MAX_HEAD_BYTES} bytes")

    def on_message_begin(self) -> None:
        self._in_head = True
        self._head_bytes = 0
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        self._in_head = False
        super().on_headers_complete()
