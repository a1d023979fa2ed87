"""``outpost-gateway serve``."""

import argparse
import asyncio
import logging
import signal
import sys

import uvloop
from pydantic import ValidationError

from gateway.app import Gateway, running_gateway
from gateway.commands.settings_arguments import add_settings, explain, read_settings
from gateway.json_log import log_as_json
from gateway.settings import Settings
from gateway.start_errors import StartError

_LOG = logging.getLogger(__name__)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Every setting."""
    add_settings(parser)


def run(parsed: argparse.Namespace) -> int:
    """Serve until SIGTERM or SIGINT."""
    try:
        settings = read_settings(parsed)
    except ValidationError as error:
        print(explain(error), file=sys.stderr)
        return 2
    log_as_json(settings.log_level)
    try:
        return uvloop.run(_serve(settings))
    except StartError as error:
        print(f"outpost-gateway: {error}", file=sys.stderr)
        return 2


async def _serve(settings: Settings) -> int:
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with running_gateway(settings) as gateway:
        _announce(gateway)
        running = asyncio.create_task(gateway.run())
        stopped = asyncio.create_task(stop.wait())
        await asyncio.wait({running, stopped}, return_when=asyncio.FIRST_COMPLETED)
        stopped.cancel()
        if running.done():
            running.result()
        _LOG.info("stopping")
    return 0


def _announce(gateway: Gateway) -> None:
    settings = gateway.settings
    _LOG.info(
        "gateway serves",
        extra={
            "http": f"http://{settings.host}:{settings.http_port}",
            "grpc": f"{settings.host}:{settings.grpc_port}",
            "metrics": f"http://{settings.metrics_host}:{settings.metrics_port}/metrics",
            "admin": f"http://127.0.0.1:{settings.admin_port}/status",
        },
    )
