"""Containers that are killed under load, run out of memory, or lose their engine: service returns, and nothing wrong
is answered meanwhile."""

import contextlib
import os
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import docker
import pytest

from tests.system.containers.compose_project import SERVICES, ComposeProject
from tests.system.containers.steady_load import Detections, SteadyLoad
from tests.system.dashboards import DEMO_ALIASES
from tests.system.gateway_process import wait_for

pytestmark = pytest.mark.containers
KILLS = {"triton": 3, "gateway": 3, "device-agent": 2, "prometheus": 2}
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


@pytest.mark.parametrize("service", ["triton", "gateway"])
def test_service_returns_after_a_kill(running: ComposeProject, load: SteadyLoad, service: str) -> None:
    for _ in range(KILLS[service]):
        running.kill(service, RETURN_SECONDS)
        seconds = load.wait_for_answers(30, RETURN_SECONDS)
        print(f"{service} answers again {seconds:.1f} s after it was killed")
        running.wait_until_serving(*DEMO_ALIASES)
    assert load.failures
    for failure in load.failures:
        assert failure.is_clear or (service == "gateway" and failure.is_no_connection), failure


@pytest.mark.parametrize(
    ("service", "address"),
    [("device-agent", "http://device-agent:8003/metrics"), ("prometheus", "http://prometheus:9090/-/ready")],
    ids=["device-agent", "prometheus"],
)
def test_what_watches_returns_after_a_kill_and_nobody_else_notices(
    running: ComposeProject, load: SteadyLoad, service: str, address: str
) -> None:
    def is_back() -> bool:
        try:
            return bool(running.fetch_inside("gateway", address))
        except AssertionError:
            return False

    for _ in range(KILLS[service]):
        running.kill(service, RETURN_SECONDS)
        wait_for(is_back, RETURN_SECONDS, running.logs)
        load.wait_for_answers(50)
    assert load.failures == []


@pytest.mark.parametrize("victim", ["tritonserver", BACKEND], ids=["server", "backend"])
def test_service_returns_after_triton_ran_out_of_memory(running: ComposeProject, load: SteadyLoad, victim: str) -> None:
    pids = pids_of(running, "triton", victim, "/defects-1." if victim == BACKEND else "")
    for pid in pids[:1]:
        Path(f"/proc/{pid}/oom_score_adj").write_text("1000")  # the kernel's choice among them, made ours
    before = backends(running)
    began_at = time.time()
    fill_memory(running, "triton")
    wait_for(lambda: not is_alive(pids[0]), RETURN_SECONDS, running.logs)
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


def fill_memory(project: ComposeProject, service: str) -> None:
    """Set a limit not far above what a container has, and allocate more than is left, its page cache included."""
    container = project.container(service)
    limit = container.stats(stream=False)["memory_stats"]["usage"] + 256 * 2**20
    container.update(mem_limit=limit, memswap_limit=limit)
    project.run_in(service, "python3", "-c", f"b'x' * {limit}")


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
