"""``docker compose up`` with nothing set: healthy, confined, watched, and the same detections as without containers."""

import json
import os
import re
import socket
import urllib.request
from pathlib import Path
from typing import Any

import pytest
import tritonclient.grpc
import tritonclient.http

from tests.system.conftest import SAMPLES
from tests.system.containers.compose_project import SERVICES, ComposeProject
from tests.system.containers.steady_load import Detections, detect
from tests.system.dashboards import (
    DASHBOARDS,
    DEMO_ALIASES,
    ask_about_samples,
    queries,
    read,
    require_choices,
    without_data,
)
from tests.system.gateway_process import wait_for
from tests.system.prometheus_process import PrometheusProcess, running_agents

pytestmark = pytest.mark.containers
OURS = ("triton", "gateway", "device-agent")
CPUS = {"triton": 0.0, "gateway": 0.0, "device-agent": 0.5, "prometheus": 1.0}
USERS = {"triton": "10001:10001", "gateway": "10001:10001", "device-agent": "10002:10002"}
# what not every machine measures; tests/system/test_grafana.py has data for these from made-up machines
HARDWARE_PANELS = {"Temperature", "Slowed down", "Power", "GPU", "Frequency of the cores"}
SERIES = re.compile(r"^(outpost_device_\w+(?:\{[^}]*\})?) ", re.MULTILINE)


@pytest.mark.parametrize("module", [tritonclient.grpc, tritonclient.http], ids=["grpc", "http"])
def test_a_stock_client_gets_the_detections_of_the_embedded_run(
    running: ComposeProject, expected: dict[bytes, Detections], module: Any
) -> None:
    address = running.grpc_address if module is tritonclient.grpc else running.http_address
    with module.InferenceServerClient(address) as client:
        found = [detect(module, client, "defects", path.read_bytes()) for path in SAMPLES]
    assert found == [expected[path.read_bytes()] for path in SAMPLES]
    assert sum(sum(each["num_detections"]) for each in found) >= len(SAMPLES)


def test_tensors_reach_triton_through_the_memory_that_both_containers_share(running: ComposeProject) -> None:
    (worker,) = running.gateway_status()["workers"]
    assert (worker["shared_memory"], worker["shared_memory_reason"]) == (True, "")
    program = "import os, json; print(json.dumps([sorted(os.listdir('/dev/shm')), os.statvfs('/dev/shm').f_blocks]))"
    seen = [json.loads(running.run_in(service, "python3", "-c", program)[1]) for service in ("triton", "gateway")]
    assert seen[0] == seen[1]
    names, pages = seen[0]
    assert {name.split("_")[2] for name in names} == {"frames", "triton"}
    assert pages * os.sysconf("SC_PAGESIZE") == 512 * 2**20


@pytest.mark.parametrize("service", SERVICES)
def test_a_container_is_confined(running: ComposeProject, service: str) -> None:
    container = running.container(service)
    host = container.attrs["HostConfig"]
    assert host["ReadonlyRootfs"]
    assert host["CapDrop"] == ["ALL"]
    assert "no-new-privileges:true" in host["SecurityOpt"]
    assert not host["Privileged"]
    assert host["Memory"] > 0
    assert host["PidsLimit"] > 0
    assert host["NanoCpus"] == CPUS[service] * 10**9
    assert host["RestartPolicy"]["Name"] == "unless-stopped"
    assert host["LogConfig"]["Config"]["max-size"]
    for process in container.top(ps_args="-eo pid,uid,gid")["Processes"]:
        assert "0" not in process


@pytest.mark.parametrize("service", OURS)
def test_an_own_container_writes_its_volumes_only(running: ComposeProject, service: str) -> None:
    container = running.container(service)
    assert container.attrs["Config"]["User"] == USERS[service]
    for folder in ("/", "/opt/outpost", "/etc", "/home"):
        code, said = running.run_in(service, "python3", "-c", f"open('{folder}/written', 'w')")
        assert (code, "Read-only file system" in said or "Permission denied" in said) == (1, True), said
    mounted = {mount["Destination"]: mount["RW"] for mount in container.attrs["Mounts"]}
    writable = {place for place, is_writable in mounted.items() if is_writable}
    assert writable == (set() if service == "device-agent" else {"/var/lib/outpost", "/dev/shm"})


def test_only_the_gateway_and_prometheus_can_be_reached_and_only_from_this_machine(running: ComposeProject) -> None:
    for service in SERVICES:
        published = running.container(service).attrs["NetworkSettings"]["Ports"]
        addresses = {binding["HostIp"] for bindings in published.values() if bindings for binding in bindings}
        assert addresses == ({"127.0.0.1"} if service in {"gateway", "prometheus"} else set()), service
    for network in ("serving", "metrics"):
        assert running.engine.networks.get(f"{running.name}_{network}").attrs["Internal"]


@pytest.mark.parametrize(("service", "may"), [("gateway", True), ("device-agent", False)])
def test_only_the_gateway_and_prometheus_reach_triton(running: ComposeProject, service: str, may: bool) -> None:
    if may:
        running.fetch_inside(service, "http://triton:18000/v2/health/live")
    else:
        with pytest.raises(AssertionError, match=r"Name or service not known|name resolution|timed out"):
            running.fetch_inside(service, "http://triton:18000/v2/health/live")


def test_prometheus_scrapes_all_three(running: ComposeProject) -> None:
    prometheus = PrometheusProcess(running.prometheus_url)

    def up() -> set[str]:
        return {each["metric"]["job"] for each in prometheus.query("up == 1")}

    wait_for(lambda: up() == {"gateway", "triton", "device-agent"}, 60, lambda: str(prometheus.query("up")))
    with urllib.request.urlopen(f"{running.prometheus_url}/api/v1/rules", timeout=10) as answer:
        assert b'"health":"err"' not in answer.read()


def test_the_agent_in_a_container_tells_of_the_machine(running: ComposeProject) -> None:
    inside = running.fetch_inside("gateway", "http://device-agent:8003/metrics")
    with running_agents(Path("/")) as (port,):
        wait_for(lambda: is_open(port), 20)
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
            outside = answer.read().decode()
    assert set(SERIES.findall(outside)) - set(SERIES.findall(inside)) == set()


def is_open(port: int) -> bool:
    with socket.socket() as asked:
        return asked.connect_ex(("127.0.0.1", port)) == 0


@pytest.mark.parametrize("path", DASHBOARDS, ids=lambda path: path.stem)
def test_the_queries_of_a_dashboard_have_data(path: Path, running: ComposeProject) -> None:
    dashboard, prometheus = read(path), PrometheusProcess(running.prometheus_url)
    asked = [query for query in queries(dashboard) if query.title not in HARDWARE_PANELS]

    def all_have_data() -> bool:  # a rate needs two scrapes, ten seconds apart, with requests between them
        ask_about_samples(running.http_url, *DEMO_ALIASES)
        return without_data(prometheus, asked) == []

    wait_for(all_have_data, 120, lambda: str(without_data(prometheus, asked)))
    require_choices(prometheus, dashboard)


def test_every_alert_is_quiet(running: ComposeProject) -> None:
    ask_about_samples(running.http_url, "defects")
    firing = PrometheusProcess(running.prometheus_url).query('ALERTS{alertstate="firing"}')
    assert [each["metric"]["alertname"] for each in firing] == []
