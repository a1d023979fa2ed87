"""Workers that have lost their GPU are replaced: processes that really end, and the rules with workers made up."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from gateway.settings import Settings
from gateway.supervision.memory_kills import MemoryKills
from gateway.workers.agreed_preprocessing import AgreedPreprocessing
from gateway.workers.answer_seconds import AnswerSeconds
from gateway.workers.device_recovery import DeviceRecovery
from gateway.workers.handle import WorkerProcess, WorkerStatus

FAKE = Path(__file__).parents[1] / "fakes" / "fake_gpu_worker.py"


async def forget(_prefix: str) -> None:
    pass


class Workers:
    """Processes of fakes that share one gateway."""

    def __init__(self, tmp_path: Path) -> None:
        self.tmp_path = tmp_path
        self.agreed = AgreedPreprocessing()
        self.processes: list[WorkerProcess] = []

    async def add(self, *, lost: int = 0, ends: str = "", start_seconds: float = 30.0) -> WorkerProcess:
        """One whose first processes have lost the GPU."""
        folder = self.folder(len(self.processes))
        folder.mkdir()
        made = WorkerProcess(
            len(self.processes),
            Settings(state_dir=self.tmp_path, preprocess="cuda", drain_seconds=0),
            lambda _: None,
            forget,
            MemoryKills(),
            self.agreed,
            seconds=AnswerSeconds(start=start_seconds),
            command=(sys.executable, str(FAKE), str(folder), str(lost), ends),
        )
        self.processes.append(made)
        await made.start()
        return made

    def folder(self, index: int) -> Path:
        return self.tmp_path / str(index)

    def told(self, index: int) -> list[dict[str, Any]]:
        """What each process of a worker was told first."""
        return [json.loads(line) for line in (self.folder(index) / "told").read_text().splitlines()]


@pytest.fixture
async def workers(tmp_path: Path) -> AsyncIterator[Workers]:
    made = Workers(tmp_path)
    yield made
    await asyncio.gather(*(worker.stop() for worker in made.processes))


async def another_than(worker: WorkerProcess, before: int) -> int:
    """The number of the process that serves after it."""
    async with asyncio.timeout(30):
        while (pid := (await worker.status()).pid) in (0, before):  # noqa: ASYNC110 - it has to be asked
            await asyncio.sleep(0.02)
    return pid


def exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.mark.parametrize("ends", ["", "late"])
async def test_a_worker_that_has_lost_its_gpu_is_ended_and_another_process_takes_its_place(
    workers: Workers, ends: str, caplog: pytest.LogCaptureFixture
) -> None:
    well, lost = await workers.add(), await workers.add(lost=1, ends=ends)
    pids = [(await worker.status()).pid for worker in (well, lost)]
    recovery = asyncio.create_task(DeviceRecovery(workers.processes, look_seconds=0.01).run())
    assert await another_than(lost, pids[1]) != pids[1]
    assert not exists(pids[1])
    assert (await well.status()).pid == pids[0]
    assert not (await lost.status()).device_lost
    recovery.cancel()
    (said,) = (record.__dict__ for record in caplog.records if record.message.startswith("a worker ended"))
    assert said["exit_code"] == (-signal.SIGKILL if ends else 0)
    assert "a worker that has lost its GPU is replaced" in caplog.messages
    texts = await lost.metrics_texts()
    assert sum("frames_total 7.0" in text for text in texts) == 2  # of the process that was ended, and of this one


async def test_all_take_what_the_first_worker_has_come_to_also_those_that_are_started_again(workers: Workers) -> None:
    first, _ = await workers.add(), await workers.add()
    choice = workers.agreed.choice
    assert choice is not None
    pid = (await first.status()).pid
    assert choice.reason == f"process {pid} has measured it"
    os.kill(pid, signal.SIGKILL)
    await another_than(first, pid)
    expected = {"path": "cuda", "reason": choice.reason, "only_into_its_memory": False}
    assert [told["preprocessing"] for told in workers.told(0)] == [None, expected]
    assert [told["preprocessing"] for told in workers.told(1)] == [expected]
    # a worker that served once is of more use without the GPU than not at all
    assert [told["settings"]["preprocess"] for told in workers.told(0)] == ["cuda", "auto"]


@pytest.mark.parametrize("ends", ["silent", "dies"])
async def test_a_worker_that_does_not_start_with_its_gpu_serves_without_it_until_it_is_replaced(
    workers: Workers, ends: str
) -> None:
    worker = await workers.add(lost=1, ends=ends, start_seconds=5.0)
    first = (await worker.status()).pid
    await worker.end_process()
    serving = await another_than(worker, first)
    assert (await worker.status()).device_lost
    _, second, third = workers.told(0)
    assert (second["preprocessing"]["path"], second["gpu_lost"]) == ("cuda", True)
    assert (third["preprocessing"]["path"], third["gpu_lost"]) == ("cpu", True)
    why = "it does not answer" if ends == "silent" else "the worker is gone"
    assert third["preprocessing"]["reason"] == f"no GPU is used: a process did not start with it: {why}"
    assert workers.agreed.choice is not None
    assert workers.agreed.choice.path == "cuda"
    await worker.end_process()
    await another_than(worker, serving)
    assert [told["preprocessing"]["path"] for told in workers.told(0)[3:]] == ["cuda", "cpu"]


async def test_a_worker_that_says_why_it_cannot_start_tries_its_gpu_again(tmp_path: Path, workers: Workers) -> None:
    worker = await workers.add()
    first = (await worker.status()).pid
    (tmp_path / "0" / "problem").write_text("the port is taken")
    os.kill(first, signal.SIGKILL)
    await another_than(worker, first)
    assert [told["preprocessing"]["path"] for told in workers.told(0)[1:]] == ["cuda", "cuda"]


class PlayedWorker:
    """Implements ``EndableWorker``."""

    def __init__(self, *, lost: bool = False, pid: int = 1) -> None:
        self.lost, self.pid = lost, pid
        self.ended = 0

    async def status(self) -> WorkerStatus:
        return WorkerStatus(self.pid, shared_memory=True, shared_memory_reason="", device_lost=self.lost)

    async def end_process(self) -> None:
        self.ended += 1


class Time:
    """Passes when somebody sleeps, until it is over."""

    def __init__(self, end: float) -> None:
        self.now, self.end = 0.0, end
        self.slept: list[float] = []

    def clock(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.now += seconds
        self.slept.append(seconds)
        if self.now > self.end:
            raise asyncio.CancelledError


async def looked_after(workers: list[PlayedWorker], time: Time) -> list[float]:
    """The pauses after replacements."""
    recovery = DeviceRecovery(workers, pauses_seconds=(300.0, 900.0, 3600.0), sleep=time.sleep, clock=time.clock)
    with pytest.raises(asyncio.CancelledError):
        await recovery.run()
    return [seconds for seconds in time.slept if seconds != 5.0]


async def test_a_gpu_that_is_lost_again_and_again_is_tried_less_and_less() -> None:
    workers = [PlayedWorker(), PlayedWorker(lost=True)]
    assert await looked_after(workers, Time(10_000)) == [300.0, 900.0, 3600.0, 3600.0, 3600.0]
    assert [worker.ended for worker in workers] == [0, 5]


async def test_each_worker_gets_its_turn() -> None:
    workers = [PlayedWorker(lost=True), PlayedWorker(lost=True)]
    assert await looked_after(workers, Time(2_000)) == [300.0, 300.0, 900.0, 900.0]
    assert [worker.ended for worker in workers] == [2, 2]


async def test_nobody_is_replaced_while_another_one_does_not_serve() -> None:
    workers = [PlayedWorker(lost=True), PlayedWorker(pid=0)]
    assert await looked_after(workers, Time(1_000)) == []
    assert workers[0].ended == 0


class ShortTrouble(PlayedWorker):
    """Loses its GPU for one replacement, twice, a while apart."""

    def __init__(self, time: Time, again_at: float) -> None:
        super().__init__(lost=True)
        self.time, self.again_at = time, again_at

    async def status(self) -> WorkerStatus:
        self.lost = self.ended == 0 or (self.ended == 1 and self.time.now > self.again_at)
        return await super().status()


@pytest.mark.parametrize(("again_at", "pauses"), [(3_000.0, [300.0, 900.0]), (5_000.0, [300.0, 300.0])])
async def test_what_is_long_ago_is_forgotten(again_at: float, pauses: list[float]) -> None:
    time = Time(6_500)
    assert await looked_after([ShortTrouble(time, again_at)], time) == pauses


class Unendable(PlayedWorker):
    """Cannot be ended at the first try."""

    async def end_process(self) -> None:
        await super().end_process()
        if self.ended == 1:
            raise ProcessLookupError


async def test_a_worker_that_cannot_be_replaced_does_not_end_the_looking(caplog: pytest.LogCaptureFixture) -> None:
    worker = Unendable(lost=True)
    assert await looked_after([worker], Time(700)) == [300.0, 900.0]
    assert worker.ended == 2
    (said,) = (record for record in caplog.records if record.exc_info)
    assert said.message == "workers could not be looked after; it is tried again"
