"""``outpost-gateway demo``: the main job from start to end, on ports of its own."""

import argparse
import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console

from gateway.commands import detect
from gateway.commands.cascade_summary import cascade_summary
from gateway.commands.gateway_target import target_of
from gateway.listeners import free_port
from gateway.load.frame_files import find_frames

_PORTS = ("http", "grpc", "metrics", "admin", "triton_http", "triton_grpc", "triton_metrics")
_CASCADE = "inspection"
_START_SECONDS = 180.0
_STOP_SECONDS = 30.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Flags of the command."""
    parser.add_argument(
        "frames", nargs="*", type=Path, help="pictures, or folders of them (default: the sample frames)"
    )
    parser.add_argument(
        "--folder",
        type=Path,
        default=Path("var/demo"),
        help="state, log and pictures of the demo (default: %(default)s)",
    )


def run(parsed: argparse.Namespace) -> int:
    """Start a gateway with Triton, find what is in the frames, name the endpoints, stop it."""
    console = Console()
    folder: Path = parsed.folder
    folder.mkdir(parents=True, exist_ok=True)
    ports = {name: free_port() for name in _PORTS}
    log_file = folder / "gateway.log"
    console.print("Starting Triton and the gateway ...")
    with _serving(folder, ports, log_file) as process:
        if not _wait_until_ready(process, ports["http"]):
            print(f"the gateway does not start; the end of {log_file}:", file=sys.stderr)
            print("\n".join(log_file.read_text().splitlines()[-10:]), file=sys.stderr)
            return 2
        frames = [str(path) for path in parsed.frames]
        code = detect.run(_detect_arguments(frames, ports["grpc"], "--render", str(folder / "pictures")))
        if code == 0:
            console.print(_through_the_cascade(frames, ports["grpc"]))
    _name_endpoints(console, folder / "pictures")
    return code


@contextmanager
def _serving(folder: Path, ports: Mapping[str, int], log_file: Path) -> Iterator[subprocess.Popen[bytes]]:
    settings = {f"OUTPOST_GATEWAY_{name.upper()}_PORT": str(port) for name, port in ports.items()}
    settings["OUTPOST_GATEWAY_STATE_DIR"] = str(folder / "state")
    with log_file.open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "gateway", "serve"], env=os.environ | settings, stdout=log, stderr=log
        )
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait_until_ready(process: subprocess.Popen[bytes], http_port: int) -> bool:
    until = time.monotonic() + _START_SECONDS
    while time.monotonic() < until and process.poll() is None:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{http_port}/v2/health/ready", timeout=2.0):
                return True
        except (urllib.error.URLError, OSError):
            time.sleep(0.1)
    return False


def _detect_arguments(frames: list[str], grpc_port: int, *more: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    detect.add_arguments(parser)
    return parser.parse_args([*frames, "--grpc", f"127.0.0.1:{grpc_port}", *more])


def _through_the_cascade(frames: list[str], grpc_port: int) -> str:
    arguments = _detect_arguments(frames, grpc_port, "--model", _CASCADE)
    client = target_of(arguments).client()
    try:
        return cascade_summary(client, _CASCADE, find_frames(arguments.frames))
    finally:
        client.close()


def _name_endpoints(console: Console, pictures: Path) -> None:
    console.print(f"\nThe pictures with boxes are in [bold]{pictures}[/]. `make serve` keeps these endpoints up:")
    console.print("  gRPC     127.0.0.1:8001   Open Inference Protocol; any Triton client")
    console.print("  HTTP     http://127.0.0.1:8000/v2 and, for people:")
    console.print(
        "           curl --data-binary @samples/frames/frame-00011.jpg http://127.0.0.1:8000/v1/models/defects/detect"
    )
    console.print("  metrics  http://127.0.0.1:8002/metrics   Prometheus")
    console.print("  status   http://127.0.0.1:8010/status    or: outpost-gateway check")
