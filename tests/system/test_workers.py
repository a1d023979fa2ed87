"""Several serving processes behind one port."""

import asyncio
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
import tritonclient.grpc.aio

from gateway.supervision.child_processes import children_of
from tests.system.gateway_process import GatewayProcess, wait_for
from tests.system.test_serving import frames_input


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory, seed_dir: Path) -> Iterator[GatewayProcess]:
    process = GatewayProcess(tmp_path_factory.mktemp("workers") / "state", seed_dir, workers=2, drain_seconds=1)
    process.start()
    try:
        process.wait_until_serving("tiny")
        yield process
    finally:
        process.close()


def worker_pids(gateway: GatewayProcess) -> set[int]:
    assert gateway.process is not None
    return {child.pid for child in children_of(gateway.process.pid) if child.command[-1:] == ("worker",)}


async def ask(gateway: GatewayProcess, frame: bytes, times: int) -> None:
    """Each request over a connection of its own, so that both workers get some."""
    for _ in range(times):
        async with tritonclient.grpc.aio.InferenceServerClient(gateway.grpc_address) as client:
            answer = await client.infer("tiny", [frames_input(tritonclient.grpc.aio, frame)])
            assert answer.as_numpy("num_detections").tolist() == [1]


async def test_both_workers_serve_and_their_metrics_add_up(shared: GatewayProcess, grey_jpeg: bytes) -> None:
    assert len(worker_pids(shared)) == 2
    workers = shared.status()["workers"]
    assert {worker["pid"] for worker in workers} == worker_pids(shared)
    assert all(worker["shared_memory"] for worker in workers)
    before = shared.metric("outpost_frames_total", model="tiny")
    await asyncio.gather(*(ask(shared, grey_jpeg, 5) for _ in range(8)))
    assert shared.metric("outpost_frames_total", model="tiny") == before + 40


async def test_a_killed_worker_comes_back(shared: GatewayProcess, grey_jpeg: bytes) -> None:
    victim = min(worker_pids(shared))
    os.kill(victim, signal.SIGKILL)
    wait_for(lambda: victim not in worker_pids(shared) and len(worker_pids(shared)) == 2, 30.0, shared.log)
    wait_for(lambda: all(worker["shared_memory"] for worker in shared.status()["workers"]), 30.0, shared.log)
    await ask(shared, grey_jpeg, 5)


def test_workers_end_with_the_gateway(shared: GatewayProcess) -> None:
    pids = worker_pids(shared)
    assert shared.stop() == 0
    wait_for(lambda: not any(Path(f"/proc/{pid}").exists() for pid in pids), 10.0)
