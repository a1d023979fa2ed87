"""The frames of one request, at the same time."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from gateway.errors import InvalidFrame
from vision.errors import ImageError

_Task = TypeVar("_Task")
_Found = TypeVar("_Found")


async def look_into_all(
    frames: Sequence[bytes | memoryview],
    task: _Task,
    look: Callable[[bytes | memoryview, _Task], Awaitable[_Found]],
) -> tuple[_Found, ...]:
    """What was found in each frame, in their order; the first that fails ends the others.

    Raises:
        InvalidFrame: One of the pictures cannot be used.
        GatewayError: Whatever ``look`` raises.
    """
    if len(frames) == 1:
        return (await _one(0, frames, task, look),)
    try:
        async with asyncio.TaskGroup() as group:
            works = [group.create_task(_one(index, frames, task, look)) for index in range(len(frames))]
    except BaseExceptionGroup as group_error:
        raise group_error.exceptions[0] from None
    return tuple(work.result() for work in works)


async def _one(
    index: int,
    frames: Sequence[bytes | memoryview],
    task: _Task,
    look: Callable[[bytes | memoryview, _Task], Awaitable[_Found]],
) -> _Found:
    try:
        return await look(frames[index], task)
    except ImageError as error:
        raise InvalidFrame(index, len(frames), str(error)) from error
