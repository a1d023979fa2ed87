"""What is done about a Triton that does not answer, and what is said of it."""

import asyncio
import itertools
import logging
from pathlib import Path

import pytest

from gateway.catalogue import Catalogue
from gateway.errors import TritonUnavailable
from gateway.supervision.active_models_file import ActiveModelsFile
from gateway.supervision.build_loader import RemoteBuildLoader
from gateway.supervision.instance_watch import BrokenInstance
from gateway.supervision.model_keeper import ModelKeeper
from gateway.supervision.probe import Prober
from gateway.supervision.supervisor import Supervisor
from gateway.supervision.triton_runner import RemoteRunner
from gateway.triton.connection import TritonConnection
from gateway.triton.control import TritonControl
from gateway.triton.tensor_client import TensorClient
from tests.fakes.fake_runner import FakeRunner

SILENT = "127.0.0.1:1"


async def nothing(_: Catalogue) -> None: ...


@pytest.mark.parametrize(
    ("ours", "said"),
    [(True, "Triton was ended, to be started again"), (False, "Triton has to be restarted by who runs it")],
)
async def test_the_log_says_what_was_done_about_a_triton_that_does_not_answer(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, *, ours: bool, said: str
) -> None:
    connection = TritonConnection(SILENT)
    control = TritonControl(connection)
    keeper = ModelKeeper(control, RemoteBuildLoader(control), lambda _: "")
    prober = Prober(TensorClient(connection), 0)
    seconds = itertools.count(step=6.0)
    runner = FakeRunner(ours=ours)
    active_file = ActiveModelsFile(tmp_path / "active.json")
    supervisor = Supervisor(runner, control, keeper, prober, active_file, nothing, lambda: next(seconds))
    with caplog.at_level(logging.ERROR, "gateway.supervision.supervisor"):
        running = asyncio.create_task(supervisor.run())
        await asyncio.wait_for(runner.asked.wait(), 10.0)
        await asyncio.sleep(0)
        running.cancel()
        await asyncio.wait([running])
    (record,) = (each for each in caplog.records if each.name == "gateway.supervision.supervisor")
    assert (record.getMessage(), vars(record)["reason"]) == (said, "it does not answer")
    assert runner.restarts == 1
    await connection.close()


async def test_dead_instances_of_a_triton_that_answers_nobody_do_not_end_the_supervisor(tmp_path: Path) -> None:
    connection = TritonConnection(SILENT)
    control = TritonControl(connection)
    keeper = ModelKeeper(control, RemoteBuildLoader(control), lambda _: "")
    runner = FakeRunner(ours=True)
    runner.broken = (BrokenInstance(1, "tiny-1.0.0_x86-cpu", "it was killed"),)
    attempts, often = list[Catalogue](), asyncio.Event()

    async def fail(catalogue: Catalogue) -> None:
        attempts.append(catalogue)
        if len(attempts) == 3:
            often.set()
        raise TritonUnavailable("no answer")

    active_file = ActiveModelsFile(tmp_path / "active.json")
    supervisor = Supervisor(runner, control, keeper, Prober(TensorClient(connection), 0), active_file, fail)
    running = asyncio.create_task(supervisor.run())
    seen = asyncio.create_task(often.wait())
    await asyncio.wait([running, seen], timeout=10.0, return_when=asyncio.FIRST_COMPLETED)
    assert seen.done()
    assert not running.done()
    running.cancel()
    await asyncio.wait([running])
    await connection.close()


async def test_a_triton_that_somebody_else_runs_is_not_ended() -> None:
    connection = TritonConnection(SILENT)
    assert not await RemoteRunner(TritonControl(connection)).restart()
    await connection.close()
