"""A caller who goes away waits for the thread that writes for him."""

import asyncio
import threading

import pytest

from gateway.thread_work import finish


async def test_a_cancelled_caller_returns_when_the_thread_is_done() -> None:
    begun, may_end, written = threading.Event(), threading.Event(), list[int]()

    def write() -> None:
        begun.set()
        assert may_end.wait(30)
        written.append(1)

    caller = asyncio.create_task(finish(asyncio.get_running_loop().run_in_executor(None, write)))
    assert await asyncio.to_thread(begun.wait, 30)
    for _ in range(2):  # a shutdown cancels once more
        caller.cancel()
        for _ in range(10):
            await asyncio.sleep(0)
        assert not caller.done()
    may_end.set()
    with pytest.raises(asyncio.CancelledError):
        await caller
    assert written == [1]


async def test_the_result_and_the_error_are_the_threads() -> None:
    loop = asyncio.get_running_loop()
    assert await finish(loop.run_in_executor(None, lambda: 7)) == 7
    with pytest.raises(ValueError, match="seven"):
        await finish(loop.run_in_executor(None, lambda: int("seven")))
