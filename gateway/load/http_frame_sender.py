"""Frames over HTTP: each request's bytes are made once, headers and all."""

import asyncio
from collections.abc import Sequence

from gateway.load.client_access import PLAIN, ClientAccess
from gateway.load.frame_sender import OK, SendOutcome
from gateway.load.http_connection import HttpConnection

_STAGES_KEY = b'"outpost_stage_us":'
_HTTP_OK = 200


def infer_request(address: str, model: str, frame: bytes, access: ClientAccess = PLAIN) -> bytes:
    """A raw binary inference request: the whole body is the picture (Triton's binary data extension)."""
    headers = [f"{name}: {value}" for name, value in access.headers.items()]
    return post_request(address, f"/v2/models/{model}/infer", frame, "Inference-Header-Content-Length: 0", *headers)


def post_request(address: str, path: str, body: bytes, *headers: str) -> bytes:
    """A whole POST request with a binary body.

    Args:
        address: ``host:port``, for the ``Host`` header.
        path: Path of the URL.
        body: Sent as it is.
        headers: More header lines.
    """
    lines = [
        f"POST {path} HTTP/1.1",
        f"Host: {address}",
        "Content-Type: application/octet-stream",
        f"Content-Length: {len(body)}",
        *headers,
    ]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


class HttpFrameSender:
    """Sends prepared requests, wrapped around; a client's connection stays open, and an idle one is used again.

    Args:
        address: ``host:port``.
        requests: Whole requests.
        timeout_seconds: Longest wait for an answer.
        access: TLS; the token is in the requests.
    """

    def __init__(
        self, address: str, requests: Sequence[bytes], *, timeout_seconds: float, access: ClientAccess = PLAIN
    ) -> None:
        host, _, port = address.rpartition(":")
        self._host, self._port = host.strip("[]"), int(port)
        self._requests = requests
        self._timeout_seconds = timeout_seconds
        self._tls = access.http_context()
        self._idle: list[HttpConnection] = []

    async def send(self, client: int, frame: int) -> SendOutcome:  # noqa: ARG002 - any idle connection will do
        """See ``FrameSender.send``."""
        connection: HttpConnection | None = None
        try:
            async with asyncio.timeout(self._timeout_seconds):
                connection = await self._connection()
                status, body = await connection.ask(self._requests[frame % len(self._requests)])
        except TimeoutError:
            _discard(connection)
            return SendOutcome("TIMEOUT")
        except OSError:
            _discard(connection)
            return SendOutcome("DISCONNECTED")
        if connection.usable:
            self._idle.append(connection)
        return SendOutcome(OK, stages_of(body)) if status == _HTTP_OK else SendOutcome(f"HTTP {status}")

    async def close(self) -> None:
        """See ``FrameSender.close``."""
        for connection in self._idle:
            connection.close()

    async def _connection(self) -> HttpConnection:
        while self._idle:
            connection = self._idle.pop()
            if connection.usable:
                return connection
        return await HttpConnection.open(self._host, self._port, self._tls)


def stages_of(body: bytes) -> str:
    """The text of ``outpost_stage_us`` in an answer, found without parsing it; empty where there is none."""
    at = body.find(_STAGES_KEY)
    if at < 0:
        return ""
    start = body.find(b'"', at + len(_STAGES_KEY)) + 1
    return body[start : body.find(b'"', start)].decode()


def _discard(connection: HttpConnection | None) -> None:
    if connection is not None:
        connection.close()
