"""Processes that are ended: one that runs, and one that no signal ends."""

import asyncio
import signal
import sys

import pytest

from gateway.workers.endable_process import EndableProcess, RunningProcess


class HeldProcess:
    """Implements ``RunningProcess``: a driver holds it."""

    pid = 42
    returncode: int | None = None

    def __init__(self) -> None:
        self.kills = 0

    def kill(self) -> None:
        self.kills += 1

    async def wait(self) -> int:
        await asyncio.Event().wait()
        raise AssertionError


class JustEnded:
    """Implements ``RunningProcess``: it ends before it is killed."""

    pid = 42
    returncode: int | None = None

    def kill(self) -> None:
        raise ProcessLookupError

    async def wait(self) -> int:
        return 0


@pytest.mark.parametrize("seconds", [None, 0.01])
async def test_a_process_that_no_kill_ends_is_left_behind(
    seconds: float | None, caplog: pytest.LogCaptureFixture
) -> None:
    held, looks = HeldProcess(), list[int]()
    process = EndableProcess(held, kill_seconds=0.01, look_seconds=0.01)
    over = asyncio.create_task(process.over(lambda: looks.append(1)))
    while not looks:  # noqa: ASYNC110 - the other task looks
        await asyncio.sleep(0.005)
    assert not over.done()
    await (process.kill() if seconds is None else process.end(seconds))
    assert await asyncio.wait_for(over, 20) is None
    assert (held.kills, process.pid, process.returncode) == (1, 42, None)
    assert caplog.messages == ["a killed process does not end; it is left behind"]


async def test_a_process_that_does_not_end_in_time_is_killed() -> None:
    child: RunningProcess = await asyncio.create_subprocess_exec(sys.executable, "-c", "import time; time.sleep(3600)")
    process = EndableProcess(child)
    await process.end(0.01)
    assert await process.over(lambda: None) == process.returncode == -signal.SIGKILL


async def test_a_process_that_has_just_ended_is_not_missed() -> None:
    process = EndableProcess(JustEnded())
    await process.kill()
    assert await process.over(lambda: None) == 0
