"""``outpost-agent metrics``."""

import argparse
import logging
import signal
import sys
import threading

from prometheus_client import CollectorRegistry, generate_latest
from pydantic import ValidationError

from device_agent.commands.settings_arguments import add_settings, explain, read_settings
from device_agent.json_log import log_as_json
from device_agent.metrics_server import MetricsServer
from device_agent.sensors.device_collector import DeviceCollector
from device_agent.sensors.host_tree import HostTree
from device_agent.sensors.sources import sources_of
from device_agent.settings import Settings
from device_agent.start_errors import HostRootUnusable, StartError

_LOG = logging.getLogger(__name__)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Every setting, and ``--once``."""
    add_settings(parser)
    parser.add_argument("--once", action="store_true", help="print the metrics and end")


def run(parsed: argparse.Namespace) -> int:
    """Serve until SIGTERM or SIGINT, or print once."""
    try:
        settings = read_settings(parsed)
    except ValidationError as error:
        print(explain(error), file=sys.stderr)
        return 2
    log_as_json(settings.log_level)
    try:
        registry = _registry(settings)
        if parsed.once:
            print(generate_latest(registry).decode(), end="")
        else:
            _serve(settings, registry)
    except StartError as error:
        print(f"outpost-agent: {error}", file=sys.stderr)
        return 2
    return 0


def _registry(settings: Settings) -> CollectorRegistry:
    try:
        (settings.host_root / "proc/stat").read_bytes()
    except OSError as error:
        raise HostRootUnusable(settings.host_root, str(error)) from error
    registry = CollectorRegistry()
    sources = sources_of(HostTree(settings.host_root), settings.state_dir)
    registry.register(DeviceCollector(sources, settings.read_timeout_seconds))
    return registry


def _serve(settings: Settings, registry: CollectorRegistry) -> None:
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    with MetricsServer(settings.metrics_host, settings.metrics_port, registry) as server:
        _LOG.info("agent serves", extra={"metrics": f"{server.address}/metrics"})
        stop.wait()
        _LOG.info("stopping")
