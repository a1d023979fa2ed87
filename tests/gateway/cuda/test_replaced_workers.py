"""Worker processes with a GPU, or the simulator: who takes a worker's place opens it again, and measures nothing."""

import asyncio
from pathlib import Path

import pytest

from gateway.listeners import free_port
from gateway.settings import Settings
from gateway.supervision.memory_kills import MemoryKills
from gateway.workers.agreed_preprocessing import AgreedPreprocessing
from gateway.workers.answer_seconds import AnswerSeconds
from gateway.workers.handle import WorkerProcess, WorkerStatus

pytestmark = pytest.mark.long


async def forget(_prefix: str) -> None:
    pass


async def another_than(worker: WorkerProcess, before: int) -> WorkerStatus:
    async with asyncio.timeout(120):
        while (status := await worker.status()).pid in (0, before):  # noqa: ASYNC110 - it has to be asked
            await asyncio.sleep(0.05)
    return status


async def test_another_process_opens_the_gpu_again(tmp_path: Path) -> None:
    settings = Settings(
        state_dir=tmp_path,
        triton=f"grpc://127.0.0.1:{free_port()}",
        http_port=free_port(),
        grpc_port=free_port(),
        preprocess="cuda",
    )
    agreed = AgreedPreprocessing()
    worker = WorkerProcess(0, settings, lambda _: None, forget, MemoryKills(), agreed, seconds=AnswerSeconds.of("cuda"))
    await worker.start()
    before = await worker.status()
    assert before.preprocessing == "cuda"
    await worker.end_process()
    after = await another_than(worker, before.pid)
    assert (after.preprocessing, after.device_lost) == ("cuda", False)
    assert after.preprocessing_reason == before.preprocessing_reason
    await worker.stop()
