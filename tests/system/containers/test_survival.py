"""Containers that are killed under load, run out of memory, or lose their engine: service returns, and nothing wrong
is answered meanwhile."""

import contextlib
import json
import os
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import docker
import pytest

from gateway.supervision.memory_kills import for_lack_of_memory
from tests.system.conftest import Measured
from tests.system.containers.compose_project import SERVICES, ComposeProject
from tests.system.containers.steady_load import Detections, SteadyLoad
from tests.system.dashboards import DEMO_ALIASES
from tests.system.gateway_process import wait_for
from tests.system.sizes import Sizes

pytestmark = pytest.mark.containers
WATCHERS = {"device-agent": "http://device-agent:8003/metrics", "prometheus": "http://prometheus:9090/-/ready"}
RETURN_SECONDS = 20.0
BACKEND = "triton_python_backend_stub"
ENGINE_RETURN_SECONDS = 60.0
DAEMON_PID_FILE = Path("/var/run/docker.pid")


@pytest.fixture
def load(running: ComposeProject, expected: dict[bytes, Detections]) -> Iterator[SteadyLoad]:
    running.wait_until_serving(*DEMO_ALIASES)
    with SteadyLoad(running.grpc_address, running.http_address, "defects", expected) as sending:
        sending.wait_for_answers()
        yield sending
    assert sending.wrong == []


@pytest.mark.soak
@pytest.mark.parametrize("service", ["triton", "gateway"])
def test_service_returns_after_a_kill(
    running: ComposeProject, load: SteadyLoad, service: str, sizes: Sizes, measured: Measured
) -> None:
    seconds = []
    for _ in range(sizes.server_kills):
        killed_at = running.kill(service, RETURN_SECONDS)
        load.wait_for_answers(30, RETURN_SECONDS)
        seconds.append(time.monotonic() - killed_at)
        running.wait_until_serving(*DEMO_ALIASES)
        how = loads_since(running, killed_at)
        assert how == {"build taken over"} if service == "gateway" else "build loaded" in how
    measured("kills", load.after_kills(f"container {service}", seconds))
    assert load.failures
    for failure in load.failures:
        assert failure.is_clear or (service == "gateway" and failure.is_no_connection), failure


@pytest.mark.soak
def test_what_watches_returns_after_a_kill_and_nobody_else_notices(
    running: ComposeProject, load: SteadyLoad, sizes: Sizes, measured: Measured
) -> None:
    def is_back(address: str) -> bool:
        try:
            return bool(running.fetch_inside("gateway", address))
        except AssertionError:
            return False

    seconds: dict[str, list[float]] = {service: [] for service in WATCHERS}
    for _ in range(sizes.watcher_kills):
        for service, address in WATCHERS.items():
            killed_at = running.kill(service, RETURN_SECONDS)
            wait_for(partial(is_back, address), RETURN_SECONDS, running.logs)
            seconds[service].append(time.monotonic() - killed_at)
            load.wait_for_answers(50)
    for service in WATCHERS:
        measured("kills", load.after_kills(f"container {service}", seconds[service]))
    assert load.failures == []


@pytest.mark.parametrize("victim", ["tritonserver", BACKEND], ids=["server", "backend"])
def test_service_returns_after_triton_ran_out_of_memory(running: ComposeProject, load: SteadyLoad, victim: str) -> None:
    pids = pids_of(running, "triton", victim, "/defects-1." if victim == BACKEND else "")
    for pid in pids[:1]:
        Path(f"/proc/{pid}/oom_score_adj").write_text("1000")  # the kernel's choice among them, made ours
    before = backends(running)
    began_at = time.time()
    reason = for_lack_of_memory(fill_memory(running, "triton"))
    wait_for(lambda: not is_alive(pids[0]), RETURN_SECONDS, running.logs)
    message = "an instance was lost" if victim == BACKEND else "Triton ended"
    wait_for(lambda: has_line(running.log("triton"), message, reason), 10, running.logs)
    seconds = load.wait_for_answers(30, RETURN_SECONDS)
    print(f"answers again {seconds:.1f} s after {victim} was killed for memory")
    events = running.engine.events(since=began_at, until=time.time(), decode=True, filters={"event": "oom"})
    assert {event["Actor"]["Attributes"]["com.docker.compose.service"] for event in events} == {"triton"}
    running.wait_until_serving(*DEMO_ALIASES)

    def nothing_is_left_of_the_old_set() -> bool:
        found = backends(running)
        return not found.keys() & set(pids) and Counter(found.values()) == Counter(before.values())

    wait_for(nothing_is_left_of_the_old_set, 60, lambda: str((pids, backends(running))))
    assert [failure for failure in load.failures if not failure.is_clear] == []


def backends(project: ComposeProject) -> dict[int, str]:
    """Triton's live backend processes, and the build of each."""
    rows = project.container("triton").top(ps_args="-eww -o pid,stat,args")["Processes"]
    alive = [(int(pid), line.split()) for pid, state, line in rows if state[0] != "Z"]
    # Triton starts a backend through a shell, whose command line has the backend's name too.
    return {pid: words[1].split("/")[-3] for pid, words in alive if words[0].endswith(f"/{BACKEND}")}


def pids_of(project: ComposeProject, service: str, program: str, argument: str = "") -> list[int]:
    """Processes of a container by their program and a part of their arguments, as the machine numbers them."""
    rows = project.container(service).top(ps_args="-eww -o pid,args")["Processes"]
    return [int(pid) for pid, line in rows if line.split()[0].endswith(f"/{program}") and argument in line]


def is_alive(pid: int) -> bool:
    """Whether a process is there and not dead; its parent may not have asked yet how it ended."""
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in {"Z", "X"}
    return False


def loads_since(project: ComposeProject, began_at: float) -> set[str]:
    """How the gateway says that it got builds, since a moment in monotonic seconds."""
    since = time.time() - (time.monotonic() - began_at)
    text = project.container("gateway").logs(since=since).decode(errors="replace")
    messages = {json.loads(line)["message"] for line in text.splitlines() if line.startswith("{")}
    return messages & {"build loaded", "build taken over"}


def has_line(log: str, *parts: str) -> bool:
    return any(all(part in line for part in parts) for line in log.splitlines())


def fill_memory(project: ComposeProject, service: str) -> int:
    """Set a limit not far above what a container has, and allocate more than is left, its page cache included.

    Returns:
        The limit in bytes.
    """
    container = project.container(service)
    limit = container.stats(stream=False)["memory_stats"]["usage"] + 256 * 2**20
    container.update(mem_limit=limit, memswap_limit=limit)
    project.run_in(service, "python3", "-c", f"b'x' * {limit}")
    return int(limit)


def test_service_returns_after_a_restart_of_the_engine(
    running: ComposeProject, engine: docker.DockerClient, expected: dict[bytes, Detections]
) -> None:
    wait_for(lambda: not builds_that_run(), 300, lambda: str(builds_that_run()))
    restart_engine(engine)
    running.wait_until_serving(*DEMO_ALIASES, timeout_seconds=ENGINE_RETURN_SECONDS)
    running.wait_until_healthy("triton", "gateway", "device-agent")
    with SteadyLoad(running.grpc_address, running.http_address, "defects", expected) as load:
        load.wait_for_answers(50)
    assert (load.failures, load.wrong) == ([], [])
    assert {running.state(service)["Status"] for service in SERVICES} == {"running"}


def builds_that_run() -> list[str]:
    """Image builds of others on this machine, which a restart would break."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            words = (entry / "cmdline").read_bytes().decode(errors="replace").split("\0")
            if Path(words[0]).name.startswith("docker") and "build" in words[1:]:
                found.append(" ".join(words))
    return found


def restart_engine(engine: docker.DockerClient) -> None:
    """As an upgrade of its package would; it comes back with the arguments and the environment that it had."""
    engine.close()  # its connections; it makes new ones
    if Path("/run/systemd/system").is_dir():
        subprocess.run(["systemctl", "restart", "docker"], check=True)
    else:
        pid = int(DAEMON_PID_FILE.read_text())
        command = Path(f"/proc/{pid}/cmdline").read_text().rstrip("\0").split("\0")
        pairs = Path(f"/proc/{pid}/environ").read_text().rstrip("\0").split("\0")
        environment = dict(pair.split("=", 1) for pair in pairs)
        log = Path(f"/proc/{pid}/fd/1").readlink()
        os.kill(pid, signal.SIGTERM)
        wait_for(lambda: not Path(f"/proc/{pid}").exists(), ENGINE_RETURN_SECONDS)
        subprocess.run(
            ["sh", "-c", 'setsid nohup "$@" >> "$0" 2>&1 < /dev/null &', str(log), *command],
            env=environment,
            check=True,
        )
    wait_for(responds, ENGINE_RETURN_SECONDS)


def responds() -> bool:
    return subprocess.run(["docker", "info"], capture_output=True, check=False).returncode == 0
