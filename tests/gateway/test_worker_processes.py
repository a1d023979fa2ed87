"""Workers of their own processes that are killed; nobody answers for Triton."""

import asyncio
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway.catalogue import Catalogue
from gateway.listeners import free_port
from gateway.settings import Settings
from gateway.start_errors import WorkerNotStarted
from gateway.supervision.memory_kills import MemoryKills, for_lack_of_memory
from gateway.workers.agreed_preprocessing import AgreedPreprocessing
from gateway.workers.answer_seconds import AnswerSeconds
from gateway.workers.handle import WorkerProcess, WorkerStatus
from tests.gateway.test_memory_kills import LIMIT, Container

FAKE = Path(__file__).parents[1] / "fakes" / "fake_link_worker.py"


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


async def forget(_prefix: str) -> None:
    pass


def settings_for(state_dir: Path) -> Settings:
    return Settings(
        state_dir=state_dir, triton=f"grpc://127.0.0.1:{free_port()}", http_port=free_port(), grpc_port=free_port()
    )


def played(
    tmp_path: Path, problem: str = "", slow: str = "", seconds: float = 0.0, other_seconds: float = 0.2
) -> WorkerProcess:
    """One whose process is a fake's."""
    command = (sys.executable, str(FAKE), problem, slow, str(seconds))
    limits = AnswerSeconds(start=30.0, catalogue=30.0, other=other_seconds)
    return WorkerProcess(
        0,
        settings_for(tmp_path),
        lambda _: None,
        forget,
        MemoryKills(),
        AgreedPreprocessing(),
        seconds=limits,
        command=command,
    )


@pytest.fixture
async def worker(container: WatchedContainer, tmp_path: Path) -> AsyncIterator[WorkerProcess]:
    agreed = AgreedPreprocessing()
    made = WorkerProcess(0, settings_for(tmp_path), lambda _: None, forget, container.kills, agreed)
    await made.start()
    yield made
    await made.stop()


async def back(worker: WorkerProcess, victim: int) -> WorkerStatus:
    """What it says of itself once another process serves."""
    async with asyncio.timeout(20.0):
        while (status := await worker.status()).pid in (0, victim):  # noqa: ASYNC110 - it has to be asked
            await asyncio.sleep(0.05)
    return status


async def killed_and_back(worker: WorkerProcess, victim: int, caplog: pytest.LogCaptureFixture) -> dict[str, object]:
    """What the log says of a worker that is killed, once it is there again."""
    os.kill(victim, signal.SIGKILL)
    await back(worker, victim)
    (said,) = (record.__dict__ for record in caplog.records if record.message.startswith("a worker ended"))
    assert said["exit_code"] == -signal.SIGKILL
    return said


async def test_a_worker_whose_process_is_ended_finishes_its_work_and_serves_again_as_before(
    worker: WorkerProcess, caplog: pytest.LogCaptureFixture
) -> None:
    before = await worker.status()
    await worker.end_process()
    after = await back(worker, before.pid)
    assert (after.preprocessing, after.preprocessing_reason) == (before.preprocessing, before.preprocessing_reason)
    (said,) = (record.__dict__ for record in caplog.records if record.message.startswith("a worker ended"))
    assert said["exit_code"] == 0


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


async def test_a_worker_that_takes_its_time_for_a_catalogue_is_not_taken_for_dead(tmp_path: Path) -> None:
    worker = played(tmp_path, slow="catalogue", seconds=1.0)
    await worker.start()
    await worker.stop()


async def test_nobody_waits_for_a_worker_that_is_still_being_started(tmp_path: Path) -> None:
    worker = played(tmp_path, slow="start", seconds=1.0, other_seconds=30.0)
    starting = asyncio.create_task(worker.start())
    while worker._writer is None:  # noqa: ASYNC110 - only the link tells
        await asyncio.sleep(0.005)
    assert (await worker.status()).pid == 0
    await worker.accept(Catalogue())
    assert await worker.metrics_texts() == ()
    assert not starting.done()
    await starting
    await worker.stop()


async def test_nobody_waits_for_a_worker_that_dies_with_a_question_unread(tmp_path: Path) -> None:
    worker = played(tmp_path, other_seconds=60.0)
    await worker.start()
    assert worker._process is not None
    os.kill(worker._process.pid, signal.SIGSTOP)
    asked = asyncio.create_task(worker.status())
    await asyncio.sleep(0)  # the question is on its way
    os.kill(worker._process.pid, signal.SIGKILL)
    assert (await asyncio.wait_for(asked, 20.0)).pid == 0
    await worker.stop()


def test_a_worker_with_a_gpu_gets_the_time_to_compile_and_measure() -> None:
    host, device = AnswerSeconds.of("cpu"), AnswerSeconds.of("cuda")
    assert device.start > host.start >= 30.0
    assert 60.0 > device.catalogue > host.catalogue >= 15.0  # what is measured then is not waited for


async def test_a_worker_that_cannot_start_says_why_and_is_ended(tmp_path: Path) -> None:
    worker = played(tmp_path, problem="the GPU is busy; use another one")
    with pytest.raises(WorkerNotStarted, match="worker 0 does not start: the GPU is busy; use another one"):
        await worker.start()
    assert worker._process is not None
    assert worker._process.returncode is not None


async def test_a_real_worker_tells_over_the_link_why_it_cannot_start(tmp_path: Path) -> None:
    settings = settings_for(tmp_path)
    with socket.create_server(("127.0.0.1", settings.http_port)):
        worker = WorkerProcess(0, settings, lambda _: None, forget, MemoryKills(), AgreedPreprocessing())
        with pytest.raises(WorkerNotStarted, match=f"http_port 127.0.0.1:{settings.http_port} cannot be opened"):
            await worker.start()
