"""Catalogues that a worker process has not put in force are given to it again."""

import asyncio
import sys
from pathlib import Path

import pytest

from gateway.catalogue import Catalogue
from gateway.errors import TritonUnavailable
from gateway.settings import Settings
from gateway.supervision.memory_kills import MemoryKills
from gateway.workers.agreed_preprocessing import AgreedPreprocessing
from gateway.workers.answer_seconds import AnswerSeconds
from gateway.workers.handle import WorkerProcess

FAKE = Path(__file__).parents[1] / "fakes" / "fake_catalogue_worker.py"


async def forget(_prefix: str) -> None:
    pass


def played(tmp_path: Path, *does: str, catalogue_seconds: float = 30.0) -> WorkerProcess:
    return WorkerProcess(
        0,
        Settings(state_dir=tmp_path),
        lambda _: None,
        forget,
        MemoryKills(),
        AgreedPreprocessing(),
        seconds=AnswerSeconds(catalogue=catalogue_seconds),
        command=(sys.executable, str(FAKE), str(tmp_path / "given"), *does),
    )


async def given(tmp_path: Path, count: int) -> list[str]:
    """What became of each catalogue, once there were so many."""
    async with asyncio.timeout(20):
        while len(lines := (tmp_path / "given").read_text().splitlines()) < count:  # noqa: ASYNC110 - a file
            await asyncio.sleep(0.02)
    return lines


async def test_a_catalogue_that_is_refused_at_the_start_is_given_until_it_is_in_force(tmp_path: Path) -> None:
    worker = played(tmp_path, "refuse", "refuse")
    await worker.start()
    assert await given(tmp_path, 3) == ["refuse 0", "refuse 0", "take 0"]
    assert worker._giving is not None
    await asyncio.wait_for(worker._giving, 20)
    await worker.stop()


async def test_a_catalogue_that_is_not_answered_in_time_is_given_again(tmp_path: Path) -> None:
    worker = played(tmp_path, "take", "miss", catalogue_seconds=2.0)
    await worker.start()
    await worker.accept(Catalogue(generation=7))
    assert await given(tmp_path, 3) == ["take 0", "miss 7", "take 7"]
    await worker.stop()


async def test_who_publishes_a_refused_catalogue_hears_of_it(tmp_path: Path) -> None:
    worker = played(tmp_path, "take", "refuse")
    await worker.start()
    with pytest.raises(TritonUnavailable, match="Triton is away"):
        await worker.accept(Catalogue(generation=7))
    await worker.stop()


async def test_nobody_gives_a_catalogue_to_a_worker_that_was_stopped(tmp_path: Path) -> None:
    worker = played(tmp_path, *["refuse"] * 100)
    await worker.start()
    await worker.stop()
    assert worker._giving is not None
    await asyncio.wait([worker._giving], timeout=20)
    assert worker._giving.cancelled()
