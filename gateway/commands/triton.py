"""``outpost-gateway triton``: Triton alone, on the builds of a state folder that a gateway elsewhere shares."""

import argparse
import asyncio
import contextlib
import logging
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

from pydantic import ValidationError

from gateway.commands.settings_arguments import add_settings, explain, read_settings
from gateway.cores import usable_cores
from gateway.json_log import log_as_json
from gateway.listeners import require_free
from gateway.machine import read_facts, refusal, serving_class
from gateway.settings import Settings
from gateway.start_errors import SharedMemoryTooSmall, StartError, TritonNotStarted
from gateway.supervision.configured_triton import configured_triton
from gateway.supervision.engine_folder import EngineFolder
from gateway.supervision.plan_copies import remove_plan_copies
from gateway.supervision.state_folder import StateFolder

_LOG = logging.getLogger(__name__)
_SHARED_MEMORY = Path("/dev/shm")  # noqa: S108 - POSIX shared memory
_MEMORY_PER_CORE_BYTES = 16 * 2**20
_EXIT_SECONDS = 8.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Every setting; those of the gateway itself are not used."""
    add_settings(parser)


def run(parsed: argparse.Namespace) -> int:
    """Run Triton until SIGTERM or SIGINT, or until it ends by itself; then with its exit code."""
    try:
        settings = read_settings(parsed)
    except ValidationError as error:
        print(explain(error), file=sys.stderr)
        return 2
    log_as_json(settings.log_level)
    try:
        with _seeded(settings) as state:
            return asyncio.run(_run(settings, state))
    except StartError as error:
        print(f"outpost-gateway triton: {error}", file=sys.stderr)
        return 2


@contextlib.contextmanager
def _seeded(settings: Settings) -> Iterator[StateFolder]:
    """The state folder, with builds for this machine's class."""
    for name in ("triton_http_port", "triton_grpc_port", "triton_metrics_port"):
        require_free(name, settings.triton_host, getattr(settings, name))
    _require_shared_memory()
    state = StateFolder(settings.state_dir, "triton")
    state.open()
    try:
        machine = serving_class(settings, read_facts())
        seed_dir = settings.chosen_seed_dir
        copied = state.seed(seed_dir, lambda hardware_class: not refusal(machine, hardware_class))
        if copied:
            _LOG.info("builds were put into the state folder", extra={"from": str(seed_dir), "builds": list(copied)})
        yield state
    finally:
        state.close()


def _require_shared_memory() -> None:
    free = os.statvfs(_SHARED_MEMORY)
    free_bytes, needed_bytes = free.f_bavail * free.f_frsize, usable_cores() * _MEMORY_PER_CORE_BYTES
    if free_bytes < needed_bytes:
        raise SharedMemoryTooSmall(free_bytes, needed_bytes)


async def _run(settings: Settings, state: StateFolder) -> int:
    triton = configured_triton(settings, state, None)
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    remove_plan_copies(EngineFolder(state.engines).owner)
    try:
        await triton.start()
    except OSError as error:
        raise TritonNotStarted(str(error)) from error
    _LOG.info("Triton runs", extra={"grpc": f"{settings.triton_host}:{settings.triton_grpc_port}", "pid": triton.pid})
    ended = asyncio.create_task(triton.wait())
    stopped = asyncio.create_task(stop.wait())
    await asyncio.wait({ended, stopped}, return_when=asyncio.FIRST_COMPLETED)
    stopped.cancel()
    if not ended.done():
        _LOG.info("stopping")
        await triton.stop(_EXIT_SECONDS)
        await ended
        return 0
    code = ended.result()
    _LOG.error("Triton ended", extra={"exit_code": code})
    await triton.stop()
    return 128 - code if code < 0 else code or 1
