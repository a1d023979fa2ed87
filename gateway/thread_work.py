"""Waiting for what other threads do."""

import asyncio
from typing import TypeVar

_T = TypeVar("_T")


async def finish(work: "asyncio.Future[_T]") -> _T:
    """Wait for work even when the caller is cancelled: what it writes to must not be reused while it still writes."""
    try:
        return await asyncio.shield(work)
    except asyncio.CancelledError:
        await asyncio.wait([work])
        if not work.cancelled():
            work.exception()  # nobody asks for it any more
        raise
