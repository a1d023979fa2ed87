"""The load generator's process: reads a load per line, runs it, writes its result as a line."""

import argparse
import asyncio
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import uvloop

from benchmarks.tensor_region import TensorRegion
from gateway.load.cpu_meter import CpuMeter
from gateway.load.frame_sender import FrameSender
from gateway.load.grpc_frame_sender import GrpcFrameSender
from gateway.load.http_frame_sender import HttpFrameSender, post_request
from gateway.load.load_report import result_json
from gateway.load.load_runner import LoadPlan, measure_closed
from gateway.load.sender_factory import gateway_sender

if TYPE_CHECKING:
    from gateway.cuda.device import CudaDevice

GENERATOR_ROLE = "load generator"
_TIMEOUT_SECONDS = 30.0


async def run_load(command: dict[str, Any], frames: Sequence[bytes]) -> dict[str, Any]:
    """One closed loop.

    Args:
        command: ``target`` (``gateway-grpc``, ``gateway-http``, ``endpoint`` or ``triton``), ``address``, ``model``,
            ``clients``, ``warmup_seconds``, ``seconds``, ``roots`` (process id by role); for ``triton`` also ``build``,
            and ``on_gpu`` where the tensors are to lie there.
        frames: Encoded pictures.
    """
    meter = CpuMeter({**command["roots"], GENERATOR_ROLE: os.getpid()})
    plan = LoadPlan(command["target"], command["warmup_seconds"], command["seconds"])
    if command["target"] == "triton":
        device = _first_gpu() if command.get("on_gpu") else None
        async with TensorRegion(command["address"], Path(command["build"]), frames, device) as region:
            sender = GrpcFrameSender(
                command["address"], region.requests, connections=command["clients"], timeout_seconds=_TIMEOUT_SECONDS
            )
            return await _measured(plan, sender, meter, command["clients"])
    return await _measured(plan, _sender(command, frames), meter, command["clients"])


def _first_gpu() -> "CudaDevice":
    from gateway.cuda.device import CudaDevice  # noqa: PLC0415 - numba, where there is a GPU

    return CudaDevice(0)


def _sender(command: dict[str, Any], frames: Sequence[bytes]) -> FrameSender:
    address = command["address"]
    if command["target"] == "endpoint":
        requests = [post_request(address, "/detect", frame) for frame in frames]
        return HttpFrameSender(address, requests, timeout_seconds=_TIMEOUT_SECONDS)
    return gateway_sender(
        "grpc" if command["target"] == "gateway-grpc" else "http",
        address,
        command["model"],
        frames,
        connections=command["clients"],
        timeout_seconds=_TIMEOUT_SECONDS,
    )


async def _measured(plan: LoadPlan, sender: FrameSender, meter: CpuMeter, clients: int) -> dict[str, Any]:
    try:
        return result_json((await measure_closed(plan, sender, meter, clients=clients)).result)
    finally:
        await sender.close()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.load_generator", description=__doc__)
    parser.add_argument("frames", type=Path, nargs="+")
    frames = [path.read_bytes() for path in parser.parse_args().frames]
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        print(json.dumps({"frames": len(frames)}), flush=True)
        for line in sys.stdin:
            print(json.dumps(runner.run(run_load(json.loads(line), frames))), flush=True)


if __name__ == "__main__":
    main()
