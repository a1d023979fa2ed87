"""An answer to a request whose body nobody wants."""

import asyncio
import contextlib

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

LINGER_SECONDS = 1.0


class LingeringResponse(Response):
    """Goes out at once; what the client still sends is thrown away for a moment before the connection ends.

    Closing a socket with unread bytes makes the kernel send a reset, which can overtake the answer (RFC 9112 9.6).
    """

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, and leave the connection open until ``finish``."""
        del scope, receive
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        await send({"type": "http.response.body", "body": self.body, "more_body": True})

    async def finish(self, receive: Receive, send: Send) -> None:
        """Throw away what comes, for a moment, and end the connection."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LINGER_SECONDS):
                while (await receive()).get("more_body", False):
                    pass
        await send({"type": "http.response.body", "body": b"", "more_body": False})
