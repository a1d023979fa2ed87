"""``outpost-gateway triton``: Triton alone, on the builds of a state folder that a gateway elsewhere shares."""

import argparse
import asyncio
import contextlib
import logging
import os
import signal
import sys
from collections.abc import Iterator
from functools import partial

from pydantic import ValidationError

from gateway.commands.settings_arguments import add_settings, explain, read_settings
from gateway.json_log import log_as_json
from gateway.listeners import require_free
from gateway.machine import instances_per_build, read_facts, refusal, serving_class
from gateway.settings import Settings
from gateway.start_errors import StartError, TritonNotStarted
from gateway.supervision.configured_seed import seed
from gateway.supervision.configured_triton import configured_triton
from gateway.supervision.embedded_triton import EmbeddedTriton
from gateway.supervision.engine_folder import EngineFolder
from gateway.supervision.liveness_watch import LivenessWatch, answers
from gateway.supervision.memory_kills import MemoryKills
from gateway.supervision.plan_copies import remove_plan_copies
from gateway.supervision.replaced_instances import ReplacedInstances, serving_generation
from gateway.supervision.shared_memory_need import needed_bytes, require_shared_memory
from gateway.supervision.state_folder import StateFolder

_LOG = logging.getLogger(__name__)
_EXIT_SECONDS = 8.0
_LOOK_SECONDS = 1.0


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
    for name in ("triton_http_port", "triton_grpc_port"):
        require_free(name, settings.triton_host, getattr(settings, name))
    require_free("triton_metrics_port", settings.triton_metrics_address, settings.triton_metrics_port)
    state = StateFolder(settings.state_dir, "triton")
    state.open()
    try:
        machine = serving_class(settings, read_facts())
        folder, copied = seed(settings, state, lambda hardware_class: not refusal(machine, hardware_class))
        if copied:
            _LOG.info("builds were put into the state folder", extra={"from": str(folder), "builds": list(copied)})
        yield state
    finally:
        state.close()


async def _run(settings: Settings, state: StateFolder) -> int:
    triton = configured_triton(settings, state, None)
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    remove_plan_copies(EngineFolder(state.engines).owner)
    await require_shared_memory(triton, _needed_bytes(settings, state))
    memory_kills = MemoryKills()
    try:
        await triton.start()
    except OSError as error:
        raise TritonNotStarted(str(error)) from error
    _LOG.info("Triton runs", extra={"grpc": f"{settings.triton_host}:{settings.triton_grpc_port}", "pid": triton.pid})
    ended = asyncio.create_task(triton.wait())
    stopped = asyncio.create_task(stop.wait())
    looking = asyncio.create_task(_end_what_was_replaced(settings, triton, memory_kills))
    watching = asyncio.create_task(_end_when_it_hangs(settings, triton))
    await asyncio.wait({ended, stopped}, return_when=asyncio.FIRST_COMPLETED)
    stopped.cancel()
    looking.cancel()
    watching.cancel()
    if not ended.done():
        _LOG.info("stopping")
        await triton.stop(_EXIT_SECONDS)
        await ended
        return 0
    code = ended.result()
    why = memory_kills.reason() if code == -signal.SIGKILL else ""
    _LOG.error("Triton ended", extra={"exit_code": code} | ({"reason": why} if why else {}))
    await triton.stop()
    return 128 - code if code < 0 else code or 1


def _needed_bytes(settings: Settings, state: StateFolder) -> int:
    machine = serving_class(settings, read_facts())
    return needed_bytes(
        state, instances_per_build(settings), lambda hardware_class: not refusal(machine, hardware_class)
    )


async def _end_when_it_hangs(settings: Settings, triton: EmbeddedTriton) -> None:
    watch = LivenessWatch(partial(answers, settings.own_triton_host, settings.triton_http_port))
    seconds = await watch.wait_until_hanging()
    _LOG.error("Triton is ended, since it does not answer", extra={"seconds": round(seconds, 1), "pid": triton.pid})
    await triton.kill()


async def _end_what_was_replaced(settings: Settings, triton: EmbeddedTriton, memory_kills: MemoryKills) -> None:
    generation = partial(serving_generation, settings.own_triton_http_url)
    replaced = ReplacedInstances(triton.stubs, generation, _end, why_dead=memory_kills.reason)
    while True:
        await asyncio.sleep(_LOOK_SECONDS)
        memory_kills.look()
        await asyncio.to_thread(replaced.look)


def _end(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
