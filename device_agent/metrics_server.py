"""HTTP of the agent: ``GET /metrics`` and ``GET /health/live``."""

import logging
import socket
import socketserver
import threading
from collections.abc import Iterable
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

from prometheus_client import CollectorRegistry, make_wsgi_app

from device_agent.start_errors import PortTaken

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIEnvironment

_LOG = logging.getLogger(__name__)


class MetricsServer:
    """Serves a registry while its context is open.

    Args:
        host: Address to listen at, IPv4 or IPv6.
        port: 0 picks a free one.
        registry: What ``/metrics`` shows.

    Raises:
        PortTaken: The address cannot be opened.
    """

    def __init__(self, host: str, port: int, registry: CollectorRegistry) -> None:
        server = _server_class(host)
        try:
            self._server = server((host, port), _Handler)
        except OSError as error:
            raise PortTaken(host, port, str(error)) from error
        self._server.set_app(_routes(registry))
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.1,), daemon=True)

    @property
    def address(self) -> str:
        """Where it answers, ``http://host:port``."""
        host = self._server.server_name
        return f"http://{f'[{host}]' if ':' in host else host}:{self._server.server_port}"

    def __enter__(self) -> Self:
        """Start to answer."""
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """Stop; answers in work are not waited for."""
        self._server.shutdown()
        self._server.server_close()


class _Server(socketserver.ThreadingMixIn, WSGIServer):
    daemon_threads = True
    block_on_close = False

    def server_bind(self) -> None:
        # HTTPServer asks DNS for the machine's name here, which takes seconds on a device without a network.
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = str(self.server_address[0]), int(self.server_address[1])
        self.setup_environ()

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ARG002 - the base class names it so
        _LOG.debug("a client went away", exc_info=True, extra={"client": str(client_address)})


class _ServerOverIpv6(_Server):
    address_family = socket.AF_INET6


class _Handler(WSGIRequestHandler):
    timeout = 10

    def log_message(self, format: str, *arguments: Any) -> None:  # noqa: A002 - the base class names it so
        _LOG.debug(format, *arguments)


def _server_class(host: str) -> type[_Server]:
    return _ServerOverIpv6 if ":" in host else _Server


def _routes(registry: CollectorRegistry) -> Any:
    metrics = make_wsgi_app(registry)

    def answer(environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        path = environ["PATH_INFO"]
        if path == "/metrics":
            answered: Iterable[bytes] = metrics(environ, start_response)
            return answered
        status, text = ("200 OK", b"live\n") if path == "/health/live" else ("404 Not Found", b"see /metrics\n")
        start_response(status, [("Content-Type", "text/plain; charset=utf-8"), ("Content-Length", str(len(text)))])
        return [text]

    return answer
