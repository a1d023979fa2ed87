"""What the boundary and a handler share about one HTTP request."""

import asyncio
from types import TracebackType

from starlette.requests import ClientDisconnect, Request
from starlette.types import Receive

from gateway.body_hold import BodyHold
from gateway.http_api.body import read_body
from gateway.http_api.ports import HttpLimits

_SCOPE_KEY = "outpost.exchange"
_WATCH_AFTER_SECONDS = 0.02


class Exchange:
    """One request in work. ``model`` stays empty for requests that are not about a model's work: they are not counted.

    Args:
        request_id: Travels with the answer and the log.
        began_at: Monotonic seconds at which the request's head was read.
        headers: Lower-case names.
        body: Memory of its body.
    """

    __slots__ = ("began_at", "body", "build", "headers", "model", "request_id", "status")

    def __init__(self, request_id: str, began_at: float, headers: dict[bytes, bytes], body: BodyHold) -> None:
        self.request_id = request_id
        self.began_at = began_at
        self.headers = headers
        self.body = body
        self.model = ""
        self.build = ""
        self.status = 0

    def header(self, name: bytes) -> str | None:
        """A header's value, by its lower-case name."""
        value = self.headers.get(name)
        return None if value is None else value.decode("latin-1")

    def attach(self, scope: dict[str, object]) -> None:
        """Put the exchange where ``exchange_of`` finds it."""
        scope[_SCOPE_KEY] = self


def exchange_of(request: Request) -> Exchange:
    """The exchange of a request that came through the boundary."""
    exchange: Exchange = request.scope[_SCOPE_KEY]
    return exchange


async def request_body(request: Request, limits: HttpLimits) -> bytes:
    """The body of a request, as ``read_body`` reads it."""
    exchange = exchange_of(request)
    return await read_body(
        request.receive,
        exchange.headers,
        exchange.body,
        limit_bytes=limits.max_request_bytes,
        timeout_seconds=limits.body_timeout_seconds,
    )


class DisconnectWatch:
    """Cancels the block when the client goes away meanwhile; the block then ends with ``ClientDisconnect``.

    The channel is listened to only after a moment: most requests are answered before, and a task costs time.

    Args:
        receive: The ASGI channel, its body read to the end.
    """

    __slots__ = ("_gone", "_receive", "_task", "_timer", "_watcher")

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._gone = False
        self._task: asyncio.Task[object] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._watcher: asyncio.Task[None] | None = None

    def __enter__(self) -> None:
        self._task = asyncio.current_task()
        self._timer = asyncio.get_running_loop().call_later(_WATCH_AFTER_SECONDS, self._begin)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._timer is not None:
            self._timer.cancel()
        if self._watcher is not None:
            self._watcher.cancel()
        if self._gone and self._task is not None:
            self._task.uncancel()
            raise ClientDisconnect from error

    def _begin(self) -> None:
        self._watcher = asyncio.get_running_loop().create_task(self._wait())

    async def _wait(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass
        self._gone = True
        if self._task is not None:
            self._task.cancel()
