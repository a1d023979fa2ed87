"""What is said of a Triton, and of a backend process of its, that was killed; a script stands in for the server."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway.supervision.embedded_triton import EmbeddedTriton, TritonPorts
from gateway.supervision.instance_watch import BrokenInstance
from gateway.supervision.memory_kills import for_lack_of_memory
from gateway.supervision.triton_installation import find_installation
from gateway.supervision.triton_runner import EmbeddedRunner
from gateway.triton.connection import TritonConnection
from gateway.triton.control import TritonControl
from tests.gateway.test_memory_kills import LIMIT, Container
from tests.gateway.test_triton_installation import installed_triton

BUILD = "defects-1.0.0_x86-cpu"
SERVER = """
[ "$1" = --help ] && echo --model-repository && exit
exec python3 -c 'import subprocess, time; subprocess.Popen(["cat", "{model}"]); time.sleep(60)'
"""


class Machine:
    """A running server with one backend process, in a control group that a test writes."""

    def __init__(self, folder: Path) -> None:
        model = folder / "repository" / BUILD / "1" / "model.onnx"
        model.parent.mkdir(parents=True)
        os.mkfifo(model)  # who reads it waits
        root = installed_triton(folder / "tritonserver", SERVER.format(model=model))
        (folder / "work").mkdir()
        ports = TritonPorts(0, 0, 0)
        self.triton = EmbeddedTriton(
            find_installation(root), folder / "repository", folder / "work", None, ports, "outpost_test_"
        )
        self.container = Container(folder)
        self.connection = TritonConnection("127.0.0.1:1")
        self.runner = EmbeddedRunner(self.triton, TritonControl(self.connection), self.container.kills)

    async def backend_process(self) -> int:
        while not (found := self.runner.instances_of(BUILD)):
            await asyncio.sleep(0.01)
            self.runner.expect_new_instances()
            assert self.runner.broken_instances() == ()
        return found[0]

    async def broken(self) -> BrokenInstance:
        while not (found := self.runner.broken_instances()):  # noqa: ASYNC110 - only a look tells
            await asyncio.sleep(0.01)
        return found[0]


@pytest.fixture
async def machine(tmp_path: Path) -> AsyncIterator[Machine]:
    made = Machine(tmp_path)
    await made.triton.start()
    yield made
    await made.runner.close()
    await made.connection.close()


@pytest.mark.parametrize("for_memory", [False, True])
async def test_a_killed_server_is_told_from_one_that_took_too_much_memory(
    machine: Machine, *, for_memory: bool
) -> None:
    assert machine.triton.pid is not None
    machine.container.kill_count(5 if for_memory else 4)
    os.kill(machine.triton.pid, signal.SIGKILL)
    said = await asyncio.wait_for(machine.runner.wait_until_gone(), 10.0)
    why = f" ({for_lack_of_memory(LIMIT)})" if for_memory else ""
    assert said == f"the process ended with signal SIGKILL{why}; it is being restarted"


async def test_a_server_that_ends_otherwise_did_not_lack_memory(machine: Machine) -> None:
    assert machine.triton.pid is not None
    machine.container.kill_count(5)
    os.kill(machine.triton.pid, signal.SIGSEGV)
    said = await asyncio.wait_for(machine.runner.wait_until_gone(), 10.0)
    assert said == "the process ended with signal SIGSEGV; it is being restarted"


@pytest.mark.parametrize("for_memory", [False, True])
async def test_a_killed_backend_process_is_told_from_one_that_took_too_much_memory(
    machine: Machine, *, for_memory: bool
) -> None:
    pid = await asyncio.wait_for(machine.backend_process(), 10.0)
    machine.container.kill_count(5 if for_memory else 4)
    os.kill(pid, signal.SIGKILL)
    broken = await asyncio.wait_for(machine.broken(), 10.0)
    assert broken.reason == f"backend process {pid} died" + (f": {for_lack_of_memory(LIMIT)}" if for_memory else "")
