"""The manifests for clusters: rendered, checked against Kubernetes' schemas and against the programs' settings."""

import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

import device_agent.settings
import gateway.settings
from contracts.engine_cache import ENGINES_FOLDER
from tests.system.kubernetes_manifests import (
    SHIPPED,
    Manifest,
    applied_folders,
    container_ports,
    containers,
    environment,
    mounted_volumes,
    of_kind,
    pod,
    rendered,
    run_renderer,
    size_bytes,
    volumes,
    workload,
)

pytestmark = pytest.mark.parts
REPOSITORY = Path(__file__).parents[2]
OLDEST, NEWEST = "1.29", "1.37"
FOLDERS = applied_folders()
GPU, REPLICAS, DEVICE = "overlays/nvidia-gpu", "overlays/several-replicas", "device-agent"
SERVING = [folder for folder in FOLDERS if folder != DEVICE]
SETTINGS: dict[str, type[gateway.settings.Settings] | type[device_agent.settings.Settings]] = {
    "triton": gateway.settings.Settings,
    "gateway": gateway.settings.Settings,
    "device-agent": device_agent.settings.Settings,
}
# the seconds that the gateway gives its workers after the drain, and Triton to end
WORKERS_END_SECONDS, TRITON_ENDS_SECONDS = 5.0, 8.0


def settings_of(name: str, container: Manifest) -> Any:
    kind = SETTINGS[name]
    prefix = kind.model_config.get("env_prefix", "")
    return kind.model_validate(
        {key.removeprefix(prefix).lower(): value for key, value in environment(container).items()}
    )


def test_the_folders_are_those_of_the_guide() -> None:
    assert {"base", GPU, REPLICAS, DEVICE} == set(FOLDERS)


@pytest.mark.parametrize("folder", FOLDERS)
def test_a_folder_renders_without_a_warning(folder: str) -> None:
    done = run_renderer(folder)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("version", [OLDEST, NEWEST])
@pytest.mark.parametrize("folder", FOLDERS)
def test_every_manifest_passes_the_strict_schema(folder: str, version: str) -> None:
    for manifest in rendered(folder):
        kubernetes_validate.validate(manifest, version, strict=True)


def test_the_strict_schema_refuses_an_unknown_field() -> None:
    manifest = json.loads(json.dumps(workload("base")))
    manifest["spec"]["template"]["spec"]["containers"][0]["livenesProbe"] = {}
    with pytest.raises(kubernetes_validate.ValidationError, match="livenesProbe"):
        kubernetes_validate.validate(manifest, NEWEST, strict=True)


@pytest.mark.parametrize("folder", FOLDERS)
def test_the_environment_is_good_for_the_program_and_has_no_secret(folder: str) -> None:
    for name, container in containers(folder).items():
        assert "envFrom" not in container
        assert all(set(each) == {"name", "value"} for each in container["env"])
        if name in SETTINGS:
            settings_of(name, container)  # forbids what is no setting
            prefix = SETTINGS[name].model_config.get("env_prefix", "")
            assert all(key.startswith(prefix) for key in environment(container))
    assert not of_kind(folder, "Secret")


@pytest.mark.parametrize("folder", FOLDERS)
def test_images_carry_the_version_of_the_project(folder: str) -> None:
    version = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]["version"]
    suffix = {"triton": "-gpu" if folder == GPU else "-cpu", "engine-builder": "-gpu"}
    image = {"engine-builder": "triton"}
    for name, container in containers(folder).items():
        assert container["image"] == f"localhost/outpost/{image.get(name, name)}:{version}{suffix.get(name, '')}"


@pytest.mark.parametrize("folder", FOLDERS)
def test_a_pod_is_locked_down(folder: str) -> None:
    spec = pod(folder)
    assert spec["securityContext"]["runAsNonRoot"] is True
    assert (spec["securityContext"]["runAsUser"], spec["securityContext"]["runAsGroup"]) == (
        (10002, 10002) if folder == DEVICE else (10001, 10001)  # what sees /proc of the node is not the secrets' user
    )
    assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert (spec["automountServiceAccountToken"], spec["enableServiceLinks"]) == (False, False)
    (account,) = of_kind(folder, "ServiceAccount")
    assert (account["metadata"]["name"], account["automountServiceAccountToken"]) == (spec["serviceAccountName"], False)
    assert not {"hostNetwork", "hostPID", "hostIPC", "shareProcessNamespace"} & set(spec)
    for container in containers(folder).values():
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert "/tmp" in mounted_volumes(container)
        assert {"cpu", "memory"} <= set(container["resources"]["limits"])
        assert {"cpu", "memory"} <= set(container["resources"]["requests"])


@pytest.mark.parametrize("folder", FOLDERS)
def test_the_namespace_admits_its_pods(folder: str) -> None:
    (namespace,) = of_kind(folder, "Namespace")
    level = namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"]
    kinds = {kind for volume in volumes(folder).values() for kind in volume if kind != "name"}
    restricted = kinds <= {"configMap", "emptyDir", "ephemeral", "persistentVolumeClaim", "projected", "secret"}
    assert level == ("restricted" if restricted else "privileged")
    named = {each["metadata"].get("namespace") for each in rendered(folder) if each["kind"] != "Namespace"}
    assert named == {namespace["metadata"]["name"]}


@pytest.mark.parametrize("folder", FOLDERS)
def test_everything_points_at_the_pods(folder: str) -> None:
    spec = workload(folder)["spec"]
    labels = spec["template"]["metadata"]["labels"]
    selectors = [
        spec["selector"]["matchLabels"],
        *(each["spec"]["selector"] for each in of_kind(folder, "Service")),
        *(each["spec"]["selector"]["matchLabels"] for each in of_kind(folder, "PodDisruptionBudget")),
        *(each["spec"]["podSelector"]["matchLabels"] for each in of_kind(folder, "NetworkPolicy")),
        *(
            each["labelSelector"]["matchLabels"]
            for each in spec["template"]["spec"].get("topologySpreadConstraints", ())
        ),
    ]
    assert all(selector == labels for selector in selectors)
    services = {each["metadata"]["name"] for each in of_kind(folder, "Service")}
    assert spec.get("serviceName", next(iter(services), None)) in {*services, None}
    for each in of_kind(folder, "HorizontalPodAutoscaler"):
        target = each["spec"]["scaleTargetRef"]
        assert (target["kind"], target["name"]) == (workload(folder)["kind"], workload(folder)["metadata"]["name"])
        assert "replicas" not in spec


@pytest.mark.parametrize("folder", SERVING)
def test_ports_are_the_gateways(folder: str) -> None:
    serving = settings_of("gateway", containers(folder)["gateway"])
    ports = {"http": serving.http_port, "grpc": serving.grpc_port, "metrics": serving.metrics_port}
    assert container_ports(containers(folder)["gateway"]) == ports
    assert (serving.host, serving.metrics_host) == ("0.0.0.0", "0.0.0.0")
    for service in of_kind(folder, "Service"):
        offered = {each["port"]: each["targetPort"] for each in service["spec"]["ports"]}
        assert offered == {serving.http_port: "http", serving.grpc_port: "grpc"}


def test_the_device_agent_is_asked_where_it_answers() -> None:
    container = containers(DEVICE)["device-agent"]
    agent = settings_of("device-agent", container)
    assert container_ports(container) == {"metrics": agent.metrics_port}
    assert agent.metrics_host == "0.0.0.0"
    (mount,) = (each for each in container["volumeMounts"] if each["mountPath"] == str(agent.host_root))
    assert mount["readOnly"] is True
    assert volumes(DEVICE)[mount["name"]]["hostPath"]["path"] == "/"
    assert agent.state_dir.is_relative_to(agent.host_root)


@pytest.mark.parametrize("folder", SERVING)
def test_nobody_outside_of_the_pod_reaches_what_loads_models(folder: str) -> None:
    triton, serving = containers(folder)["triton"], containers(folder)["gateway"]
    bound = settings_of("triton", triton)
    assert bound.triton_host == "127.0.0.1"
    assert settings_of("gateway", serving).triton == f"grpc://127.0.0.1:{bound.triton_grpc_port}"
    assert triton["livenessProbe"]["exec"]["command"][-2] == str(bound.triton_http_port)


@pytest.mark.parametrize("folder", SERVING)
def test_prometheus_reaches_tritons_metrics(folder: str) -> None:
    triton = containers(folder)["triton"]
    bound = settings_of("triton", triton)
    assert bound.triton_metrics_address == "0.0.0.0"
    assert container_ports(triton) == {"triton-metrics": bound.triton_metrics_port}


@pytest.mark.parametrize("folder", FOLDERS)
def test_the_network_policy_opens_what_is_declared_and_no_more(folder: str) -> None:
    (policy,) = of_kind(folder, "NetworkPolicy")
    assert set(policy["spec"]["policyTypes"]) == {"Ingress", "Egress"}
    assert policy["spec"]["egress"] == []
    # not every cluster finds the named ports of sidecars
    sidecars = {number for each in pod(folder).get("initContainers", ()) for number in container_ports(each).values()}
    declared = sidecars.union(*(container_ports(each) for each in pod(folder)["containers"]))
    opened: dict[str | int, Any] = {}
    for rule in policy["spec"]["ingress"]:
        opened |= {each["port"]: rule.get("from") for each in rule["ports"]}
    assert set(opened) == declared
    watching = [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "monitoring"}}}]
    assert opened == {port: watching if port in {"metrics", *sidecars} else None for port in declared}


@pytest.mark.parametrize("folder", SERVING)
def test_triton_is_up_before_the_gateway_and_until_it_has_drained(folder: str) -> None:
    spec = pod(folder)
    (triton,) = spec["initContainers"]
    assert (triton["name"], triton["restartPolicy"]) == ("triton", "Always")
    assert "startupProbe" in triton
    serving = containers(folder)["gateway"]
    command, pause = serving["lifecycle"]["preStop"]["exec"]["command"]
    assert command == "sleep"
    drain = settings_of("gateway", serving).drain_seconds
    needed = float(pause) + drain + WORKERS_END_SECONDS + TRITON_ENDS_SECONDS
    assert spec["terminationGracePeriodSeconds"] >= needed


@pytest.mark.parametrize("folder", SERVING)
def test_a_loading_model_restarts_nothing_and_a_hanging_triton_ends(folder: str) -> None:
    serving, triton = containers(folder)["gateway"], containers(folder)["triton"]
    asked = {kind: serving[f"{kind}Probe"]["httpGet"]["path"] for kind in ("startup", "readiness", "liveness")}
    assert asked["startup"] == asked["liveness"] == "/v2/health/live"
    assert asked["readiness"] == "/v2/health/ready"
    probe = triton["livenessProbe"]
    assert probe["exec"]["command"][-1] == "/v2/health/live"
    assert 30 <= probe["periodSeconds"] * probe["failureThreshold"] <= 120


@pytest.mark.parametrize("folder", SERVING)
def test_triton_and_gateway_share_state_and_memory(folder: str) -> None:
    triton, serving = containers(folder)["triton"], containers(folder)["gateway"]
    settings = settings_of("gateway", serving)
    assert settings.triton_shares_state is True
    for path in ("/dev/shm", str(settings.state_dir)):
        assert mounted_volumes(triton)[path] == mounted_volumes(serving)[path]
    assert settings_of("triton", triton).state_dir == settings.state_dir
    cores = int(triton["resources"]["limits"]["cpu"])
    assert settings.instances == cores
    memory = volumes(folder)[mounted_volumes(triton)["/dev/shm"]]["emptyDir"]
    assert memory["medium"] == "Memory"
    assert size_bytes(memory["sizeLimit"]) >= shared_memory_needed(cores, int(serving["resources"]["limits"]["cpu"]))


def shared_memory_needed(triton_cores: int, gateway_cores: int) -> int:
    """Bytes: what Triton's start demands, and two rings of frames (an old one stays until its last frame is back)."""
    inputs = [json.loads(path.read_text())["input"] for path in (REPOSITORY / "model_repository").glob("*/card.json")]
    largest: int = max(each["width"] * each["height"] * 3 for each in inputs)
    return triton_cores * 16 * 2**20 + 2 * (2 * gateway_cores + 2) * largest


@pytest.mark.parametrize("folder", SERVING)
def test_tls_and_tokens_are_files_that_kubelet_replaces(folder: str) -> None:
    serving = containers(folder)["gateway"]
    settings = settings_of("gateway", serving)
    secured = folder != "base"
    schemes = {serving[f"{kind}Probe"]["httpGet"].get("scheme") for kind in ("startup", "readiness", "liveness")}
    assert schemes == {"HTTPS" if secured else None}
    files = (settings.tls_certificate, settings.tls_key, settings.token_file)
    if not secured:
        assert files == (None, None, None)
        return
    (parent,) = {path.parent for path in files}
    (mount,) = (each for each in serving["volumeMounts"] if each["mountPath"] == str(parent))
    assert "subPath" not in mount
    projected = volumes(folder)[mount["name"]]["projected"]
    assert {each["path"] for source in projected["sources"] for each in source["secret"]["items"]} == {
        path.name for path in files
    }
    # readable by the pod's group, by nobody else
    assert projected["defaultMode"] == 0o440
    assert pod(folder)["securityContext"]["fsGroup"] == pod(folder)["securityContext"]["runAsGroup"]
    others = [each for name, each in containers(folder).items() if name != "gateway"]
    assert not any(mount["name"] in mounted_volumes(each).values() for each in others)


def test_gpu_pods_count_one_gpu_and_keep_their_own_engines() -> None:
    found = containers(GPU)
    assert pod(GPU)["runtimeClassName"] == "nvidia"
    assert [name for name, each in found.items() if "nvidia.com/gpu" in each["resources"]["limits"]] == ["triton"]
    settings = settings_of("gateway", found["gateway"])
    assert settings_of("triton", found["triton"]).hardware_class == settings.hardware_class
    assert (REPOSITORY / "hardware_classes" / f"{settings.hardware_class}.yaml").is_file()
    (claim,) = workload(GPU)["spec"]["volumeClaimTemplates"]
    engines = str(settings.state_dir / ENGINES_FOLDER)
    assert {mounted_volumes(each)[engines] for each in found.values()} == {claim["metadata"]["name"]}
    assert claim["spec"]["accessModes"] == ["ReadWriteOnce"]


def test_the_engine_builders_command_is_one_that_exists() -> None:
    command = containers(GPU)["engine-builder"]["command"]
    assert command[0] == "outpost-compile"
    told = subprocess.run(
        [sys.executable, "-m", "model_compiler", command[1], "--help"], capture_output=True, text=True, check=True
    ).stdout
    assert all(flag in told for flag in command if flag.startswith("--"))


def test_the_adapters_rule_gives_the_autoscalers_metric() -> None:
    (autoscaler,) = of_kind(REPLICAS, "HorizontalPodAutoscaler")
    (metric,) = autoscaler["spec"]["metrics"]
    (rule,) = yaml.safe_load((SHIPPED / "prometheus-adapter.yaml").read_text())["rules"]["custom"]
    assert metric["pods"]["metric"]["name"] == rule["name"]["as"]
    series = rule["seriesQuery"].partition("{")[0]
    assert re.fullmatch(rule["name"]["matches"], series)
    assert 2 <= autoscaler["spec"]["minReplicas"] < autoscaler["spec"]["maxReplicas"]


def test_prometheus_jobs_are_those_that_the_rules_ask_for() -> None:
    jobs = {
        each["job_name"]: each for each in yaml.safe_load((SHIPPED / "prometheus.yaml").read_text())["scrape_configs"]
    }
    alone = yaml.safe_load((SHIPPED.parent / "prometheus" / "prometheus.yml").read_text())["scrape_configs"]
    assert set(jobs) == {each["job_name"] for each in alone}
    for name, folder in (("gateway", "base"), ("triton", "base"), ("device-agent", DEVICE)):
        (namespace,) = of_kind(folder, "Namespace")
        assert jobs[name]["kubernetes_sd_configs"][0]["namespaces"]["names"] == [namespace["metadata"]["name"]]
        assert jobs[name]["relabel_configs"][0]["regex"] in container_ports(containers(folder)[name])
