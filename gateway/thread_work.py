"""Waiting for what other threads do."""

import asyncio
from typing import TypeVar

_T = TypeVar("_T")


async def finish(work: "asyncio.Future[_T]") -> _T:
    """Wait for work, however often the caller is cancelled: what it writes to must not be reused before its end."""
    cancelled: asyncio.CancelledError | None = None
    while not work.done():
        try:
            await asyncio.wait([work])
        except asyncio.CancelledError as error:
            cancelled = error
    if cancelled is None:
        return work.result()
    if not work.cancelled():
        work.exception()  # nobody asks for it any more
    raise cancelled
