"""What the manifests for clusters ask of the programs, asked of the real ones: probes, and the autoscaler's metric."""

import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import Any

import pytest
import yaml

from gateway.listeners import free_port
from tests.system.gateway_process import GatewayProcess, wait_for
from tests.system.kubernetes_manifests import SHIPPED, Manifest, containers, of_kind
from tests.system.prometheus_process import running_agents, running_prometheus

pytestmark = pytest.mark.parts
REPOSITORY = Path(__file__).parents[2]
TRITON_IMAGE = (REPOSITORY / "containers" / "triton" / "Dockerfile").read_text()
POD = {
    "__meta_kubernetes_namespace": "outpost",
    "__meta_kubernetes_pod_name": "outpost-0",
    "__meta_kubernetes_pod_node_name": "line-3",
    "__meta_kubernetes_pod_phase": "Running",
}
ENDED = {"__meta_kubernetes_pod_phase": "Succeeded"}
PORT_NAME = "__meta_kubernetes_pod_container_port_name"


def test_the_gateway_answers_its_probes(gateway: GatewayProcess) -> None:
    container = containers("base")["gateway"]
    for kind in ("startup", "readiness", "liveness"):
        assert gateway.answers(container[f"{kind}Probe"]["httpGet"]["path"])


def test_the_device_agent_answers_its_probe() -> None:
    path = containers("device-agent")["device-agent"]["livenessProbe"]["httpGet"]["path"]

    def answers(port: int) -> bool:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=2) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False

    with running_agents(Path("/")) as (port,):
        wait_for(lambda: answers(port), 20)


def ask_triton(port: int) -> int:
    """The exit code of the container's probe, with another port."""
    probe = containers("base")["triton"]["livenessProbe"]
    *options, script, _port, path = probe["exec"]["command"][1:]
    assert probe["exec"]["command"][0] == "python3"
    source = REPOSITORY / "containers" / Path(script).name
    assert f" {source.relative_to(REPOSITORY)} " in TRITON_IMAGE
    assert f" {Path(script).parent}/\n" in TRITON_IMAGE
    started = time.monotonic()
    command = [sys.executable, *options, str(source), str(port), path]
    done = subprocess.run(command, capture_output=True, check=False)
    assert time.monotonic() - started < probe["timeoutSeconds"]
    return done.returncode


def test_tritons_probe_tells_a_live_one_from_one_that_is_gone_or_hangs(gateway: GatewayProcess) -> None:
    assert ask_triton(gateway.ports["triton_http"]) == 0
    assert ask_triton(free_port()) != 0
    with socket.create_server(("127.0.0.1", 0)) as silent:
        assert ask_triton(silent.getsockname()[1]) != 0


def target(port_name: str, port: int, **told: str) -> Manifest:
    return {"targets": [f"127.0.0.1:{port}"], "labels": POD | {PORT_NAME: port_name} | told}


def discovered(ports: dict[str, int]) -> Manifest:
    """The shipped jobs; this Prometheus may know no clusters, so it is told what a cluster would say of its pods.

    Args:
        ports: What listens on loopback, by the name of the pod's port.
    """
    config: Manifest = yaml.safe_load((SHIPPED / "prometheus.yaml").read_text())
    for job in config["scrape_configs"]:
        assert job.pop("kubernetes_sd_configs")[0]["role"] == "pod"
        job["static_configs"] = [
            *(target(name, number) for name, number in ports.items()),
            target("http", 1),
            *(target(name, 2, **ENDED) for name in ports),
        ]
    return config | {"global": {"scrape_interval": "500ms"}}


def adapter_query(rule: dict[str, Any], grouped_by: str) -> str:
    """What prometheus-adapter asks for the pods of a namespace."""
    told = {
        "<<.Series>>": rule["seriesQuery"].partition("{")[0],
        "<<.LabelMatchers>>": 'namespace="outpost",pod=~"outpost-0|outpost-1"',
        "<<.GroupBy>>": grouped_by,
    }
    query: str = rule["metricsQuery"]
    for name, value in told.items():
        query = query.replace(name, value)
    return query


def test_the_autoscalers_metric_reaches_it(gateway: GatewayProcess, tmp_path: Path) -> None:
    (rule,) = yaml.safe_load((SHIPPED / "prometheus-adapter.yaml").read_text())["rules"]["custom"]
    (autoscaler,) = of_kind("overlays/several-replicas", "HorizontalPodAutoscaler")
    name = autoscaler["spec"]["metrics"][0]["pods"]["metric"]["name"]
    assert f"\n{name} " in gateway.metrics()
    config = tmp_path / "prometheus.yml"
    ports = {"metrics": gateway.ports["metrics"], "triton-metrics": gateway.ports["triton_metrics"]}
    config.write_text(yaml.safe_dump(discovered(ports)))
    (label,) = (label for label, each in rule["resources"]["overrides"].items() if each["resource"] == "pod")
    with running_prometheus(config, tmp_path) as asked:
        wait_for(lambda: len(asked.query("up == 1")) == 3, 60, lambda: str(asked.query("up")))
        (answer,) = asked.query(adapter_query(rule, label))
        assert answer["metric"] == {"pod": "outpost-0"}
        assert float(answer["value"][1]) >= 0
        watched = sorted((each["job"], each["instance"]) for each in asked.targets())
        (series, *_) = asked.query(rule["seriesQuery"])
        (of_triton,) = {each["metric"]["pod"] for each in asked.query("nv_inference_count")}
    address, of_tritons = (f"127.0.0.1:{port}" for port in ports.values())
    assert watched == [("device-agent", address), ("gateway", address), ("triton", of_tritons)]
    assert of_triton == "outpost-0"
    assert set(rule["resources"]["overrides"]) <= set(series["metric"])
    assert series["metric"]["node"] == "line-3"
