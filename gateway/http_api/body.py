"""Reads the body of an HTTP request within limits of size and time."""

import asyncio
from collections.abc import Mapping

from starlette.requests import ClientDisconnect
from starlette.types import Receive

from gateway.body_hold import BodyHold
from gateway.errors import ClientError, MemoryFull, PayloadTooLarge
from gateway.http_api.content_coding import decompress

_THREAD_FROM_BYTES = 64 * 1024  # decompressing less than this is quicker than changing threads
_DISCARD_SECONDS = 2.0


class BodyTimeout(ClientError):
    """The body did not arrive in time."""

    def __init__(self, received_bytes: int, timeout_seconds: float) -> None:
        self.received_bytes = received_bytes
        self.timeout_seconds = timeout_seconds
        super().__init__(f"request body incomplete after {timeout_seconds:g} s: {received_bytes} bytes came")


async def read_body(
    receive: Receive, headers: Mapping[bytes, bytes], hold: BodyHold, *, limit_bytes: int, timeout_seconds: float
) -> bytes:
    """The whole body, without its content coding.

    Args:
        receive: The ASGI channel.
        headers: Lower-case names.
        hold: Grows with what comes in.
        limit_bytes: Largest body, before and after decompression.
        timeout_seconds: Time for all of it to arrive.

    Raises:
        PayloadTooLarge, MemoryFull: Known from ``Content-Length`` before the body is read, else as soon as it is seen.
        BodyTimeout: Too slow.
        BadRequest, NotSupported: The content coding is damaged or unknown.
        ClientDisconnect: The client went away.
    """
    declared = int(headers.get(b"content-length", b"0"))
    try:
        _require_room(declared, hold, limit_bytes)
    except (PayloadTooLarge, MemoryFull):
        if b"expect" not in headers and declared <= 2 * limit_bytes:
            await _discard(receive, declared)
        raise
    body = await _receive_all(receive, hold, limit_bytes, timeout_seconds)
    coding = headers.get(b"content-encoding")
    if coding is None:
        return body
    name = coding.decode("latin-1")
    if len(body) < _THREAD_FROM_BYTES:
        whole = decompress(body, name, limit_bytes)
    else:
        whole = await asyncio.to_thread(decompress, body, name, limit_bytes)
    # what came packed makes room first: both together may be more than a single body is ever allowed
    del body
    hold.release()
    hold.grow(len(whole))
    return whole


def _require_room(declared: int, hold: BodyHold, limit_bytes: int) -> None:
    if declared > limit_bytes:
        raise PayloadTooLarge(declared, limit_bytes)
    hold.require(declared)


async def _receive_all(receive: Receive, hold: BodyHold, limit_bytes: int, timeout_seconds: float) -> bytes:
    chunks: list[bytes] = []
    size = 0
    more = True
    try:
        async with asyncio.timeout(timeout_seconds):
            while more and size <= limit_bytes:
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise ClientDisconnect
                chunk = message["body"]
                more = message["more_body"]
                hold.grow(len(chunk))
                chunks.append(chunk)
                size += len(chunk)
    except TimeoutError as error:
        raise BodyTimeout(size, timeout_seconds) from error
    except MemoryFull:
        chunks.clear()
        hold.release()
        if more:
            await _discard(receive, limit_bytes)
        raise
    if size > limit_bytes:
        if more:
            await _discard(receive, limit_bytes)
        raise PayloadTooLarge(size, limit_bytes)
    return chunks[0] if len(chunks) == 1 else b"".join(chunks)


async def _discard(receive: Receive, most_bytes: int) -> None:
    """Let a body that is a little too large come in, for a client that is cut off while it sends sees no answer."""
    size = 0
    try:
        async with asyncio.timeout(_DISCARD_SECONDS):
            while size <= most_bytes:
                message = await receive()
                size += len(message.get("body", b""))
                if not message.get("more_body", False):
                    return
    except TimeoutError:
        return
