"""The other end of ``WorkerProcess``: a process with one worker that does what the supervisor's lines say."""

import asyncio
import json
import os
import signal
import socket
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from typing import Any

from prometheus_client import CollectorRegistry, generate_latest
from pydantic import TypeAdapter

from gateway.catalogue import Catalogue
from gateway.errors import GatewayError, InstanceLost
from gateway.json_log import log_as_json
from gateway.preprocessing_choice import PreprocessingChoice
from gateway.settings import Settings
from gateway.start_errors import StartError
from gateway.workers.handle import status_of
from gateway.workers.worker import Worker, worker_memory_prefix

_LINE_LIMIT_BYTES = 64 * 2**20


async def serve_link(link: socket.socket) -> None:
    """Serve until the line ends."""
    reader, writer = await asyncio.open_connection(sock=link, limit=_LINE_LIMIT_BYTES)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, lambda: None)  # the supervisor ends us, when it has ended itself

    def tell(message: dict[str, object]) -> None:
        writer.write(json.dumps(message).encode() + b"\n")

    first = json.loads(await reader.readline())
    settings = Settings.model_validate(first["settings"])
    log_as_json(settings.log_level)
    registry = CollectorRegistry()
    agreed = TypeAdapter(PreprocessingChoice | None).validate_python(first["preprocessing"])
    try:
        worker = _worker(settings, registry, tell, agreed, gpu_lost=first["gpu_lost"])
        await worker.start()
    except StartError as error:
        tell({"kind": "start", "id": first["id"], "problem": str(error)})
        await writer.drain()
        return
    taken = asdict(worker.preprocessing.at_start)
    tell({"kind": "start", "id": first["id"], "problem": "", "preprocessing": taken})
    await follow(reader, lambda message: _obey(message, worker, registry, tell))
    await worker.stop()


async def follow(reader: asyncio.StreamReader, obey: Callable[[dict[str, Any]], Awaitable[None]]) -> None:
    """Obey each line until there are no more: catalogues one after the other, and questions also meanwhile.

    What is not done with the catalogues by then is left: the worker ends.

    Args:
        reader: The supervisor's lines.
        obey: Does what a message says.
    """
    in_turn = asyncio.Lock()

    async def accept(message: dict[str, Any]) -> None:
        async with in_turn:
            await obey(message)

    async with asyncio.TaskGroup() as group:
        catalogues = set[asyncio.Task[None]]()
        while line := await reader.readline():
            message = json.loads(line)
            if message["kind"] == "catalogue":
                task = group.create_task(accept(message))
                catalogues.add(task)
                task.add_done_callback(catalogues.discard)
            else:
                await obey(message)
        for task in catalogues:
            task.cancel()


def _worker(
    settings: Settings,
    registry: CollectorRegistry,
    tell: Callable[[dict[str, object]], None],
    agreed: PreprocessingChoice | None,
    *,
    gpu_lost: bool,
) -> Worker:
    def on_instance_lost(error: InstanceLost) -> None:
        tell({"kind": "lost", "build": error.build, "reason": str(error)})

    prefix = worker_memory_prefix(settings, os.getpid())
    return Worker(settings, prefix, on_instance_lost, registry, agreed, gpu_lost=gpu_lost)


async def _obey(
    message: dict[str, object], worker: Worker, registry: CollectorRegistry, tell: Callable[[dict[str, object]], None]
) -> None:
    if message["kind"] == "catalogue":
        problem = ""
        try:
            await worker.accept(Catalogue.model_validate(message["catalogue"]))
        except GatewayError as error:
            problem = str(error)
        tell({"kind": "catalogue", "id": message["id"], "problem": problem})
    elif message["kind"] == "metrics":
        tell({"kind": "metrics", "id": message["id"], "text": generate_latest(registry).decode()})
    elif message["kind"] == "status":
        tell({"kind": "status", "id": message["id"], "status": asdict(status_of(worker))})
