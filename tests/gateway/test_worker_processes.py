"""Workers of their own processes that are killed; nobody answers for Triton."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway.listeners import free_port
from gateway.settings import Settings
from gateway.supervision.memory_kills import MemoryKills, for_lack_of_memory
from gateway.workers.handle import WorkerProcess
from tests.gateway.test_memory_kills import LIMIT, Container


class Watched(MemoryKills):
    """Counts how often it is asked to look."""

    looks = 0

    def look(self) -> None:
        super().look()
        self.looks += 1


class WatchedContainer(Container):
    """One whose looks are counted."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.kills: Watched = Watched(root, lambda: self.seconds)


@pytest.fixture
def container(tmp_path: Path) -> WatchedContainer:
    return WatchedContainer(tmp_path)


@pytest.fixture
async def worker(container: WatchedContainer, tmp_path: Path) -> AsyncIterator[WorkerProcess]:
    settings = Settings(
        state_dir=tmp_path, triton=f"grpc://127.0.0.1:{free_port()}", http_port=free_port(), grpc_port=free_port()
    )

    async def forget(_prefix: str) -> None:
        pass

    made = WorkerProcess(0, settings, lambda _: None, forget, container.kills)
    await made.start()
    yield made
    await made.stop()


async def killed_and_back(worker: WorkerProcess, victim: int, caplog: pytest.LogCaptureFixture) -> dict[str, object]:
    """What the log says of a worker that is killed, once it is there again."""
    os.kill(victim, signal.SIGKILL)

    async def come_back() -> None:
        while (await worker.status()).pid in (0, victim):  # noqa: ASYNC110 - it has to be asked
            await asyncio.sleep(0.05)

    await asyncio.wait_for(come_back(), 20.0)
    (said,) = (record.__dict__ for record in caplog.records if record.message.startswith("a worker ended"))
    assert said["exit_code"] == -signal.SIGKILL
    return said


@pytest.mark.parametrize("for_memory", [False, True])
async def test_a_killed_worker_is_told_from_one_that_took_too_much_memory(
    container: WatchedContainer, worker: WorkerProcess, caplog: pytest.LogCaptureFixture, *, for_memory: bool
) -> None:
    victim = (await worker.status()).pid
    container.kill_count(5 if for_memory else 4)
    said = await killed_and_back(worker, victim, caplog)
    assert said.get("reason") == (for_lack_of_memory(LIMIT, victim="worker") if for_memory else None)


async def test_a_kill_of_long_ago_is_not_blamed_for_a_worker(
    container: WatchedContainer, worker: WorkerProcess, caplog: pytest.LogCaptureFixture
) -> None:
    victim = (await worker.status()).pid
    container.kill_count(5)
    before = container.kills.looks
    while container.kills.looks == before:  # noqa: ASYNC110 - only a look tells
        await asyncio.sleep(0.05)
    container.seconds = 11.0
    assert "reason" not in await killed_and_back(worker, victim, caplog)
