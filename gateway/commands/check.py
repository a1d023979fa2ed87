"""``outpost-gateway check``."""

import argparse
import json
import os
import platform
import sys
import urllib.error
import urllib.request
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from rich.console import Console
from rich.table import Table

from contracts.build_name import BuildName
from gateway.commands.settings_arguments import add_settings, explain, read_settings
from gateway.cores import usable_cores
from gateway.cpu_flags import cpu_flags
from gateway.listeners import require_free
from gateway.machine import read_facts, refusal, serving_class
from gateway.settings import Settings
from gateway.start_errors import StartError
from gateway.supervision.state_folder import seed_builds
from gateway.supervision.triton_installation import find_installation
from gateway.workers.preprocessing import preprocessing_of

_PACKAGES = ("nvidia-pytriton", "tritonclient", "onnxruntime", "openvino", "opencv-python-headless", "simplejpeg")
_SHARED_MEMORY = Path("/dev/shm")  # noqa: S108 - POSIX shared memory


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Every setting, and the output's form."""
    parser.add_argument("--json", action="store_true", help="print JSON instead of tables")
    add_settings(parser)


def run(parsed: argparse.Namespace) -> int:
    """Look at the machine and, when it runs, at the gateway. 0: all is well, 1: something is degraded."""
    try:
        settings = read_settings(parsed)
    except ValidationError as error:
        print(explain(error), file=sys.stderr)
        return 2
    machine = look_at_machine(settings)
    status = ask_gateway(settings)
    problems = machine_problems(machine) if status is None else status_problems(status)
    if parsed.json:
        print(json.dumps({"machine": machine, "gateway": status, "problems": problems}, indent=2))
    else:
        _show(machine, status, problems)
    return 1 if problems else 0


def ask_gateway(settings: Settings) -> dict[str, Any] | None:
    """The running gateway's own status, or None."""
    url = f"http://127.0.0.1:{settings.admin_port}/status"
    try:
        with urllib.request.urlopen(url, timeout=5.0) as answer:
            status: dict[str, Any] = json.load(answer)
            return status
    except (urllib.error.URLError, OSError, ValueError):
        return None


def look_at_machine(settings: Settings) -> dict[str, Any]:
    """What is installed, and whether a gateway could start."""
    free = os.statvfs(_SHARED_MEMORY) if _SHARED_MEMORY.is_dir() else None
    return {
        "python": platform.python_version(),
        "architecture": platform.machine(),
        "hardware_class": _hardware_class(settings),
        "cores": usable_cores(),
        "cpu_flags": list(cpu_flags()),
        "packages": {name: _version(name) for name in _PACKAGES},
        "embedded_triton": _embedded(settings),
        "preprocessing": _preprocessing(settings),
        "shared_memory_free_bytes": free.f_bavail * free.f_frsize if free else 0,
        "state_dir": str(Path(settings.state_dir).resolve()),
        "seed_builds": list(seed_builds(settings.seed_dir)),
        "state_builds": list(seed_builds(Path(settings.state_dir) / "repository")),
        "refused_builds": _refused_builds(settings),
        "ports": _ports(settings),
    }


def _hardware_class(settings: Settings) -> str:
    machine = serving_class(settings, read_facts())
    if machine is None:
        return "not known, so builds of every class are loaded: an external Triton; declare it with --hardware-class"
    others = ", ".join(machine.accepts_builds_of)
    return f"{machine.name}: {machine.reason}" + (f"; loads builds for {others} too" if others else "")


def _refused_builds(settings: Settings) -> dict[str, str]:
    machine = serving_class(settings, read_facts())
    names = (*seed_builds(settings.seed_dir), *seed_builds(Path(settings.state_dir) / "repository"))
    reasons = {name: refusal(machine, BuildName.parse(name).hardware_class) for name in names}
    return {name: reason for name, reason in reasons.items() if reason}


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"


def _embedded(settings: Settings) -> str:
    if not settings.embedded:
        return f"not used: {settings.triton}"
    try:
        return f"ok: {find_installation().server}"
    except StartError as error:
        return f"problem: {error}"


def _preprocessing(settings: Settings) -> str:
    try:
        choice = preprocessing_of(settings)
    except StartError as error:
        return f"problem: {error}"
    return f"{choice.path}: {choice.reason}"


def _ports(settings: Settings) -> dict[str, str]:
    answers = {}
    for name, address in settings.port_addresses.items():
        port = getattr(settings, name)
        try:
            require_free(name, address, port)
        except StartError as error:
            answers[name] = f"problem: {error}"
        else:
            answers[name] = f"ok: {port} is free"
    return answers


def machine_problems(machine: dict[str, Any]) -> list[str]:
    """What would keep a gateway from starting."""
    texts = [machine["embedded_triton"], machine["preprocessing"], *machine["ports"].values()]
    problems = [text.removeprefix("problem: ") for text in texts if text.startswith("problem: ")]
    if machine["embedded_triton"].startswith("ok") and not (machine["seed_builds"] or machine["state_builds"]):
        problems.append("no builds to start with: put some into the folder of --seed-dir, or into the state folder")
    refused = machine["refused_builds"]
    if refused and set(refused) >= {*machine["seed_builds"], *machine["state_builds"]}:
        problems += [f"build {name} is refused: {reason}" for name, reason in refused.items()]
    return problems


def status_problems(status: dict[str, Any]) -> list[str]:
    """What is degraded in a running gateway."""
    problems = []
    if not status["triton"]["up"]:
        problems.append(f"Triton is down: {status['triton']['reason']}")
    if status["active_file"]["problem"]:
        problems.append(status["active_file"]["problem"])
    problems += [f"build {name}: {build['reason']}" for name, build in status["builds"].items() if build["reason"]]
    problems += [
        f"cascade {name} does not answer: {cascade['reason']}"
        for name, cascade in status["cascades"].items()
        if not cascade["ready"]
    ]
    problems += [f"model {name} does not answer" for name, model in status["models"].items() if not model["answers"]]
    problems += [
        f"worker {worker['pid']}: tensors travel in the request: {worker['shared_memory_reason']}"
        for worker in status["workers"]
        if not worker["shared_memory"]
    ]
    alone = len(status["workers"]) == 1
    remedy = "restart the gateway when the GPU works again" if alone else "another process will try the GPU again"
    problems += [
        f"worker {worker['pid']}: the CPU prepares frames: {worker['preprocessing_reason']}; {remedy}"
        for worker in status["workers"]
        if worker["device_lost"]
    ]
    return problems


def _show(machine: dict[str, Any], status: dict[str, Any] | None, problems: list[str]) -> None:
    console = Console()
    console.print(_table("This machine", machine))
    if status is None:
        console.print("No gateway answers on the admin port; start one with: outpost-gateway serve\n")
    else:
        console.print(_table("The running gateway", status))
    for problem in problems:
        console.print(f"[bold red]degraded[/] {problem}" if status else f"[bold red]problem[/] {problem}")
    if not problems:
        console.print("[bold green]all is well[/]")


def _table(title: str, content: dict[str, Any]) -> Table:
    table = Table(title=title, show_header=False, title_justify="left")
    for name, value in content.items():
        table.add_row(name, _cell(value))
    return table


def _cell(value: object) -> str:
    if isinstance(value, dict):
        return "\n".join(f"{key}: {_line(inner)}" for key, inner in value.items())
    if isinstance(value, list):
        return "\n".join(_line(entry) for entry in value) or "none"
    return str(value)


def _line(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key} {_line(inner)}" for key, inner in value.items())
    return str(value)
