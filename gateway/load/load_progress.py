"""A progress bar for a load."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from rich.progress import Progress

_T = TypeVar("_T")
_STEP_SECONDS = 0.25


async def with_progress(progress: Progress, description: str, seconds: float, load: Coroutine[Any, Any, _T]) -> _T:
    """Run a load of known length and move a bar meanwhile."""
    bar = progress.add_task(description, total=seconds)
    work = asyncio.ensure_future(load)
    try:
        while not (await asyncio.wait([work], timeout=_STEP_SECONDS))[0]:
            progress.advance(bar, _STEP_SECONDS)
        progress.update(bar, completed=seconds)
        return await work
    finally:
        work.cancel()
