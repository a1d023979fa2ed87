"""One PID namespace for Triton and gateway, which CUDA IPC needs: who asks for it, and what brings it back."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import docker
import pytest

from tests.system.containers.compose_project import ComposeProject
from tests.system.containers.engine import base_images
from tests.system.containers.steady_load import Detections
from tests.system.containers.test_other_stacks import NO_GPU
from tests.system.containers.test_survival import builds_that_run, restart_engine
from tests.system.gateway_process import wait_for

pytestmark = pytest.mark.containers
OVERLAY = "compose/cuda-ipc.yaml"
BOTH_FILES = f"compose.yaml:{OVERLAY}"
PROFILES = ("cpu", "gpu", "jetson", "cpu,grafana", "gpu,grafana", "jetson,grafana")
SERVERS = ("processes-gpu", "triton-gpu", "gateway-gpu")


def services_of(engine: docker.DockerClient, folder: Path, **variables: str) -> dict[str, Any]:
    """As Compose reads the shipped files."""
    done = ComposeProject(engine, folder, variables).compose("config", "--format", "json")
    assert done.returncode == 0, done.stderr
    services: dict[str, Any] = json.loads(done.stdout)["services"]
    return services


def test_triton_and_gateway_share_process_numbers_where_the_file_is_laid_over(
    engine: docker.DockerClient, tmp_path: Path
) -> None:
    services = services_of(engine, tmp_path, COMPOSE_PROFILES="gpu", COMPOSE_FILE=BOTH_FILES)
    shared = {name: service["pid"] for name, service in services.items() if "pid" in service}
    assert shared == {"triton-gpu": "service:processes-gpu", "gateway-gpu": "service:processes-gpu"}
    owner = services["processes-gpu"]
    assert owner["init"] is True  # it ends what the others leave over
    assert (services["triton-gpu"]["init"], services["gateway-gpu"]["init"]) == (False, False)
    assert owner["image"] == services["triton-gpu"]["image"]  # with another gateway it stays, and so does Triton
    assert (owner["network_mode"], owner["restart"], owner.get("deploy")) == ("none", "unless-stopped", None)
    assert (owner["cap_drop"], owner["read_only"]) == (["ALL"], True)


@pytest.mark.parametrize(
    ("profiles", "files"),
    [
        *((profiles, "compose.yaml") for profiles in PROFILES),
        *((profiles, BOTH_FILES) for profiles in PROFILES if not profiles.startswith("gpu")),
    ],
)
def test_without_it_or_a_gpu_containers_keep_their_process_numbers(
    engine: docker.DockerClient, tmp_path: Path, profiles: str, files: str
) -> None:
    services = services_of(engine, tmp_path, COMPOSE_PROFILES=profiles, COMPOSE_FILE=files)
    assert not [name for name, service in services.items() if "pid" in service]
    assert not any(name.startswith("processes") for name in services)


@pytest.mark.parametrize("files", ["compose.yaml", BOTH_FILES])
@pytest.mark.parametrize("profiles", PROFILES)
def test_triton_and_gateway_share_memory_and_have_the_gpu_of_their_profile(
    engine: docker.DockerClient, tmp_path: Path, profiles: str, files: str
) -> None:
    services = services_of(engine, tmp_path, COMPOSE_PROFILES=profiles, COMPOSE_FILE=files)
    kind = profiles.removesuffix(",grafana")
    assert ("grafana" in services) == (kind != profiles)
    # the image says what of the driver it needs; the engine would put what is named here besides in that place
    gpu = [] if kind == "cpu" else [{"driver": "nvidia", "count": 1, "capabilities": ["gpu"]}]
    for name in ("triton", "gateway"):
        service = services[name if kind == "cpu" else f"{name}-{kind}"]
        volumes = {volume["target"]: volume["source"] for volume in service["volumes"]}
        assert (volumes["/dev/shm"], volumes["/var/lib/outpost"]) == ("shared-memory", "state")
        assert service.get("deploy", {}).get("resources", {}).get("reservations", {}).get("devices", []) == gpu
        assert service.get("runtime") == ("nvidia" if kind == "jetson" else None)


@pytest.fixture(scope="module")
def sharing(
    engine: docker.DockerClient, tmp_path_factory: pytest.TempPathFactory, expected: dict[bytes, Detections]
) -> Iterator[ComposeProject]:
    """The containers for GPUs in one namespace, on what stands in for NVIDIA's; no device is asked for."""
    variables = base_images(engine) | {"COMPOSE_PROFILES": "gpu"}
    folder = tmp_path_factory.mktemp("project")
    project = ComposeProject(engine, folder, variables, f"services:\n{NO_GPU}", laid_over=OVERLAY)
    try:
        done = project.compose("build", "triton-gpu", "gateway-gpu", timeout_seconds=900)
        assert done.returncode == 0, done.stderr[-6000:]
        project.up()
        project.wait_until_serving("defects")
        project.require_detections(expected)
        yield project
    finally:
        project.down()


def require_return(project: ComposeProject, expected: dict[bytes, Detections]) -> None:
    """What the docs tell the operator to do is enough."""
    project.up()
    project.wait_until_serving("defects")
    project.require_detections(expected)
    assert {project.state(service)["Status"] for service in SERVERS} == {"running"}


@pytest.mark.soak
def test_service_returns_after_the_owner_of_the_namespace_was_killed(
    sharing: ComposeProject, expected: dict[bytes, Detections]
) -> None:
    sharing.kill("processes-gpu")  # the kernel ends all that lives in its namespace
    require_return(sharing, expected)


@pytest.mark.soak
def test_service_returns_after_a_restart_of_the_engine(
    sharing: ComposeProject, engine: docker.DockerClient, expected: dict[bytes, Detections]
) -> None:
    wait_for(lambda: not builds_that_run(), 300, lambda: str(builds_that_run()))
    others = {name for name in names_that_run(engine) if not name.startswith(sharing.name)}
    restart_engine(engine)
    require_return(sharing, expected)
    wait_for(lambda: others <= names_that_run(engine), 60, sharing.logs)


def names_that_run(engine: docker.DockerClient) -> set[str]:
    """Containers of all projects."""
    return {container.name for container in engine.containers.list()}
