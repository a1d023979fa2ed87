"""The containers against the embedded run: sizes, seconds of the engine stage and of a start, images per second.

`python -m benchmarks.containers`, after `make images` and `docker compose build gateway-gpu`. Both gateways run during
all rounds, and one is asked at a time.
"""

import argparse
import contextlib
import datetime as dt
import json
import os
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import docker
import psutil

from benchmarks.child_server import free_ports
from benchmarks.containers_report import report
from benchmarks.gateway_under_test import running_gateway
from benchmarks.machine import describe_machine

REPOSITORY = Path(__file__).parents[1]
RESULTS = Path(__file__).parent / "results"
FRAME = REPOSITORY / "samples" / "frames" / "frame-00011.jpg"
PROJECT = "outpost-bench"
REGISTRY = "localhost/outpost"
SERVERS = ("gateway", "triton")
_ENGINE_STAGE = "cpu-builds"
_START_LIMIT_SECONDS = 120.0
_WARM_UP_SECONDS = 2.0
_PARTS = {
    "/opt/outpost/venv": "Python packages",
    "/opt/outpost/model_repository": "builds",
    "/opt/outpost/source": "Outpost's code",
}
_FOLDER_BYTES = (
    "import os,sys\n"
    "for top in sys.argv[1:]:\n"
    "    print(sum(os.lstat(os.path.join(at, f)).st_size for at, _, fs in os.walk(top) for f in fs))\n"
)


def main() -> None:
    """Measure; write `containers.json` and `containers.md`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, help="default: %(default)s")
    parser.add_argument("--seconds", type=float, default=10.0, help="of each load (default: %(default)s)")
    parser.add_argument("--concurrency", type=int, default=16, help="default: %(default)s")
    parser.add_argument(
        "--sizes-only", action="store_true", help="measure the images' sizes, and keep the other results"
    )
    options = parser.parse_args()
    engine = docker.from_env()
    command = " ".join(["python -m benchmarks.containers", *sys.argv[1:]])
    now = dt.datetime.now(dt.UTC)
    results = RESULTS / "containers.json"
    facts = json.loads(results.read_text()) if options.sizes_only else {"command": command}
    facts |= {
        "images": [describe_image(engine, name) for name in image_names()],
        "images_measured": f"`{command}`, {now:%Y-%m-%d %H:%M} UTC",
    }
    if not options.sizes_only:
        facts |= {
            "machine": describe_machine(now) | {"engine": _engine_version(engine)},
            "engine_stage_seconds": [engine_stage() for _ in range(options.rounds)],
            "cold_start_seconds": [cold_start() for _ in range(options.rounds)],
            "loads": compare_loads(engine, options.rounds, options.seconds, options.concurrency),
        }
    results.write_text(json.dumps(facts, indent=1) + "\n")
    (RESULTS / "containers.md").write_text(report(facts))
    print(report(facts))


def image_names() -> tuple[str, ...]:
    """Outpost's images that Compose starts, the gateway's for GPUs, and the compiler's."""
    named = sorted({name for name in _compose({}, "config", "--images").split() if name.startswith(f"{REGISTRY}/")})
    gateway = next(name for name in named if "/gateway:" in name)
    return (*named, f"{gateway}-gpu", f"{REGISTRY}/compiler:{gateway.rpartition(':')[2]}")


def describe_image(engine: docker.DockerClient, name: str) -> dict[str, Any]:
    """Bytes of an image unpacked and as it travels (gzip), and what makes it up."""
    image = engine.images.get(name)
    packed = subprocess.run(
        f"docker save {image.id} | gzip -6 | wc -c", shell=True, check=True, capture_output=True, text=True
    )
    answer = engine.containers.run(
        name, ["-c", _FOLDER_BYTES, *_PARTS], entrypoint="python3", remove=True, network_disabled=True
    )
    parts = dict(zip(_PARTS.values(), map(int, answer.split()), strict=True))
    size_bytes = int(image.attrs["Size"])
    return {
        "name": name,
        "unpacked_bytes": size_bytes,
        "compressed_bytes": int(packed.stdout),
        "parts_bytes": {**parts, "base image": size_bytes - sum(parts.values())},
    }


def engine_stage() -> float:
    """Seconds of a build of the engine stage of Triton's image, where the stages before it are built."""
    named = os.environ.get("OUTPOST_PYTHON_BASE")
    bases = [f"--build-arg=PYTHON_BASE={named}"] if named else []
    build = ["docker", "buildx", "build", "--file=containers/triton/Dockerfile", "--output=type=cacheonly", *bases, "."]
    subprocess.run([*build, "--target=compiler"], cwd=REPOSITORY, check=True, capture_output=True)
    anew = [f"--target={_ENGINE_STAGE}", f"--no-cache-filter={_ENGINE_STAGE}"]
    began_at = time.monotonic()
    subprocess.run([*build, *anew], cwd=REPOSITORY, check=True, capture_output=True)
    return time.monotonic() - began_at


def cold_start() -> float:
    """Seconds from ``docker compose up`` on an engine with the images and nothing else to the first detection."""
    began_at = time.monotonic()
    with _project() as ports:
        _wait(lambda: _detects(ports["http"]), "no detection")
        return time.monotonic() - began_at


def compare_loads(
    engine: docker.DockerClient, rounds: int, seconds: float, concurrency: int
) -> dict[str, list[dict[str, float]]]:
    """Images per second, p50, p99 and CPU milliseconds per image, in alternating rounds."""
    with tempfile.TemporaryDirectory() as work, _project() as ports:
        seed = REPOSITORY / "model_repository"
        with running_gateway(seed, Path(work)) as embedded:
            _wait(lambda: _answers(f"http://127.0.0.1:{ports['http']}/v2/health/ready"), "not ready")
            addresses = {
                "embedded": embedded.grpc_address,
                "containers": _address_inside(engine),
                "containers, loopback port": f"127.0.0.1:{ports['grpc']}",
            }
            cpu: dict[str, Callable[[], float]] = {
                name: (lambda: _cpu_of_tree(embedded.pid)) if name == "embedded" else lambda: _cpu_of_containers(engine)
                for name in addresses
            }
            measured: dict[str, list[dict[str, float]]] = {name: [] for name in addresses}
            for index in range(rounds):
                for name in sorted(addresses, reverse=bool(index % 2)):
                    before = cpu[name]()
                    load = _load(addresses[name], seconds, concurrency, Path(work) / "load.json")
                    images = load["images_per_second"] * (seconds + _WARM_UP_SECONDS)
                    measured[name].append(load | {"cpu_ms_per_image": (cpu[name]() - before) * 1e3 / images})
    return measured


def _address_inside(engine: docker.DockerClient) -> str:
    """The gateway's own address, where the engine's packet filter leads what comes from the network to its port."""
    names = [f"com.docker.compose.project={PROJECT}", "com.docker.compose.service=gateway"]
    (gateway,) = engine.containers.list(filters={"label": names})
    networks = gateway.attrs["NetworkSettings"]["Networks"]
    return f"{networks[f'{PROJECT}_outer']['IPAddress']}:8001"


def _load(address: str, seconds: float, concurrency: int, output: Path) -> dict[str, float]:
    arguments = ["bench", "--grpc", address, "--concurrency", str(concurrency), "--seconds", str(seconds)]
    subprocess.run(
        [sys.executable, "-m", "gateway", *arguments, "--warmup", str(_WARM_UP_SECONDS), "--json", str(output)],
        check=True,
        capture_output=True,
    )
    (found,) = json.loads(output.read_text())["loads"]
    return {
        "images_per_second": found["images_per_second"],
        "p50_ms": found["latency"]["p50_ms"],
        "p99_ms": found["latency"]["p99_ms"],
    }


def _cpu_of_tree(pid: int) -> float:
    root = psutil.Process(pid)
    times = [process.cpu_times() for process in (root, *root.children(recursive=True))]
    return float(sum(each.user + each.system for each in times))


def _cpu_of_containers(engine: docker.DockerClient) -> float:
    mine = engine.containers.list(filters={"label": f"com.docker.compose.project={PROJECT}"})
    servers = [each for each in mine if each.labels["com.docker.compose.service"] in SERVERS]
    return sum(float(each.stats(stream=False)["cpu_stats"]["cpu_usage"]["total_usage"]) for each in servers) / 1e9


@contextlib.contextmanager
def _project() -> Iterator[Mapping[str, int]]:
    names = ("http", "grpc", "metrics", "prometheus")
    ports = dict(zip(names, free_ports(len(names)), strict=True))
    variables = {f"OUTPOST_{name.upper()}_PORT": str(port) for name, port in ports.items()}
    try:
        _compose(variables, "up", "--detach", "--no-build")
        yield ports
    finally:
        _compose(variables, "down", "--volumes")


def _compose(variables: Mapping[str, str], *arguments: str) -> str:
    done = subprocess.run(
        ["docker", "compose", "--project-name", PROJECT, *arguments],
        cwd=REPOSITORY,
        env={**os.environ, **variables},
        check=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    return done.stdout


def _engine_version(engine: docker.DockerClient) -> str:
    return f"Docker {engine.version()['Version']}, Compose {_compose({}, 'version', '--short').strip()}"


def _detects(port: int) -> bool:
    request = urllib.request.Request(f"http://127.0.0.1:{port}/v1/models/defects/detect", FRAME.read_bytes())
    try:
        with urllib.request.urlopen(request, timeout=5.0) as answer:
            return bool(json.load(answer)["frames"][0]["detections"])
    except OSError:
        return False


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5.0) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


def _wait(condition: Callable[[], bool], otherwise: str) -> None:
    until = time.monotonic() + _START_LIMIT_SECONDS
    while not condition():
        if time.monotonic() > until:
            raise TimeoutError(f"{otherwise} within {_START_LIMIT_SECONDS:.0f} s")
        time.sleep(0.05)


if __name__ == "__main__":
    main()
