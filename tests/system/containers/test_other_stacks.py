"""The cloud role, and the profile for GPUs where there is none: the builds for the CPU stand in for TensorRT's."""

import json
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import docker
import httpx
import pytest

from contracts.build_name import BuildName
from tests.system.access_files import BEARER, make_access_files
from tests.system.containers.compose_project import REGISTRY, REPOSITORY, ComposeProject
from tests.system.containers.conftest import Projects
from tests.system.containers.engine import base_images
from tests.system.containers.steady_load import Detections
from tests.system.gateway_process import wait_for
from tests.system.small_builds import brightness_detector, card, write_build

pytestmark = pytest.mark.containers
NO_GPU = "".join(
    f"  {name}-gpu: {{deploy: !reset null}}\n" for name in ("triton", "engines", "gateway", "device-agent")
)


@pytest.fixture
def secrets(tmp_path: Path) -> Path:
    """Named as the cloud role wants them; what user 10001 may read."""
    make_access_files(tmp_path)
    for kind in ("crt", "key"):
        (tmp_path / f"server.{kind}").rename(tmp_path / f"tls.{kind}")
        (tmp_path / f"tls.{kind}").chmod(0o644)
    tmp_path.chmod(0o755)
    return tmp_path


def test_the_cloud_role_answers_with_the_bigger_model_to_those_with_a_token(
    projects: Projects, secrets: Path, expected: dict[bytes, Detections]
) -> None:
    frame = next(iter(expected))
    with projects(shipped="compose/cloud.yaml", OUTPOST_SECRETS=str(secrets), OUTPOST_BIND="127.0.0.1") as project:
        project.up()
        trusted = ssl.create_default_context(cafile=secrets / "authority.pem")
        url = f"https://{project.http_address}/v1/models/defects-cloud/detect"
        with httpx.Client(verify=trusted, trust_env=False, timeout=30) as client:

            def is_answered() -> bool:
                try:
                    return client.post(url, content=frame, headers=BEARER).status_code == 200
                except httpx.TransportError:
                    return False

            wait_for(is_answered, 60, project.logs)
            assert client.post(url, content=frame, headers=BEARER).json()["frames"][0]["detections"]
            assert client.post(url, content=frame).status_code == 401
        loaded = project.gateway_status()
        assert list(loaded["models"]) == ["defects-cloud"]
        assert {BuildName.parse(name).model for name in loaded["builds"]} == {"defects-cloud"}
        names = {path.name for path in (project.volume_folder("state") / "repository").iterdir()}
        assert names == set(loaded["builds"])


def configured(engine: docker.DockerClient, folder: Path, shipped: str, **variables: str) -> dict[str, Any]:
    """The services of a shipped file, as Compose reads it."""
    project = ComposeProject(engine, folder, variables, shipped=shipped)
    services: dict[str, Any] = json.loads(project.compose("config", "--format", "json").stdout)["services"]
    return services


def test_each_service_has_a_limit_of_processor_time_to_set(engine: docker.DockerClient, tmp_path: Path) -> None:
    profiles = {"COMPOSE_PROFILES": "cpu,gpu,jetson,grafana,tools"}
    names = ("TRITON", "GATEWAY", "AGENT", "ENGINES", "PROMETHEUS", "GRAFANA", "COMPILER")
    limits = {f"OUTPOST_{name}_CPUS": "0.25" for name in names}
    limited = configured(engine, tmp_path, "compose/edge.yaml", **profiles, **limits)
    assert len(limited) > len(names)
    assert {name: service.get("cpus") for name, service in limited.items()} == dict.fromkeys(limited, 0.25)
    by_default = configured(engine, tmp_path, "compose/edge.yaml", **profiles)
    assert max(service.get("cpus", 0) for service in by_default.values()) <= 1  # the engine refuses more than there are
    page = (REPOSITORY / "docs" / "deploy.md").read_text()
    assert [name for name in limits if f"`{name}`" not in page] == []


@pytest.mark.parametrize(
    ("variables", "taken"),
    [({}, "defects-cloud"), ({"OUTPOST_SEED_MODELS": "parts"}, "parts"), ({"OUTPOST_SEED_MODELS": ""}, "")],
    ids=["default", "named", "all"],
)
def test_the_cloud_role_takes_the_models_that_are_named(
    engine: docker.DockerClient, tmp_path: Path, variables: dict[str, str], taken: str
) -> None:
    environment = configured(engine, tmp_path, "compose/cloud.yaml", **variables)["triton"]["environment"]
    assert environment["OUTPOST_GATEWAY_PREFERRED_MODELS"] == taken
    # what the file prefers is not what an operator wants: a folder without it is taken whole
    assert environment["OUTPOST_GATEWAY_SEED_MODELS"] == variables.get("OUTPOST_SEED_MODELS", "")


def test_the_cloud_role_takes_a_folder_of_ones_own_whole(projects: Projects, tmp_path: Path) -> None:
    build = write_build(tmp_path, card("tiny"), brightness_detector().SerializeToString())
    tmp_path.chmod(0o755)
    with projects(shipped="compose/cloud.yaml", OUTPOST_MODELS=str(tmp_path)) as project:
        project.up("triton")
        repository = project.volume_folder("state") / "repository"
        wait_for(lambda: repository.is_dir() and any(repository.iterdir()), 30, project.logs)
        assert [path.name for path in repository.iterdir()] == [build]


def test_without_its_secrets_the_cloud_role_does_not_start(projects: Projects, tmp_path: Path) -> None:
    with projects(shipped="compose/cloud.yaml", OUTPOST_SECRETS=str(tmp_path / "none")) as project:
        # which of the files is named first is the engine's affair
        assert f"bind source path does not exist: {tmp_path / 'none'}" in project.refused_up()


@pytest.fixture
def gpu_project(engine: docker.DockerClient, tmp_path: Path) -> Iterator[ComposeProject]:
    """The images for GPUs, on what stands in for NVIDIA's; no device is asked for."""
    variables = base_images(engine) | {"COMPOSE_PROFILES": "gpu"}
    project = ComposeProject(engine, tmp_path, variables, f"services:\n{NO_GPU}")
    try:
        done = project.compose("build", "triton-gpu", "gateway-gpu", timeout_seconds=900)
        assert done.returncode == 0, done.stderr[-6000:]
        yield project
    finally:
        project.down()


def test_the_cpu_builds_answer_until_there_are_plans(
    gpu_project: ComposeProject, expected: dict[bytes, Detections]
) -> None:
    gpu_project.up()
    gpu_project.wait_until_serving("defects")
    gpu_project.require_detections(expected)
    models = httpx.get(f"{gpu_project.http_url}/v1/models", trust_env=False).json()["models"]
    defects = next(model for model in models if model["name"] == "defects")
    version = json.loads((next(REPOSITORY.glob("model_repository/defects-1*")) / "card.json").read_text())["version"]
    assert defects["build"] == f"defects-{version}_x86-cpu"
    assert f"build defects-{version}_x86-nvidia-gpu: it has no TensorRT plan for this machine yet" in defects["reason"]
    wait_for(lambda: "tensorrt cannot run here" in gpu_project.log("engines-gpu"), 30, gpu_project.logs)
    assert gpu_project.health("triton-gpu") == "healthy"
    wait_for(lambda: gpu_project.health("gateway-gpu") == "healthy", 60, gpu_project.logs)


@pytest.mark.parametrize("profiles", ["cpu", "gpu", "jetson", "cpu,grafana"])
def test_every_image_of_ours_is_built_in_its_own_profile(
    engine: docker.DockerClient, tmp_path: Path, profiles: str
) -> None:
    project = ComposeProject(engine, tmp_path, {"COMPOSE_PROFILES": profiles})
    services = json.loads(project.compose("config", "--format", "json").stdout)["services"].values()
    ours = {service["image"] for service in services if service["image"].startswith(REGISTRY)}
    assert len(ours) == 3
    assert {service["image"] for service in services if "build" in service} == ours
    assert {service["build"]["context"] for service in services if "build" in service} == {str(REPOSITORY)}


def test_the_images_of_others_may_be_pinned_by_digest(engine: docker.DockerClient, tmp_path: Path) -> None:
    digest = f"sha256:{'5eed' * 16}"
    pinned = {
        "OUTPOST_PROMETHEUS_IMAGE": f"prom/prometheus:v2.53.5@{digest}",
        "OUTPOST_GRAFANA_IMAGE": f"grafana/grafana@{digest}",
        "OUTPOST_PYTHON_BASE": f"python:3.11.13-slim-bookworm@{digest}",
        "COMPOSE_PROFILES": "cpu,grafana",
    }
    project = ComposeProject(engine, tmp_path, pinned)
    services = json.loads(project.compose("config", "--format", "json").stdout)["services"]
    assert services["prometheus"]["image"] == pinned["OUTPOST_PROMETHEUS_IMAGE"]
    assert services["grafana"]["image"] == pinned["OUTPOST_GRAFANA_IMAGE"]
    assert services["triton"]["build"]["args"]["PYTHON_BASE"] == pinned["OUTPOST_PYTHON_BASE"]
    for image in pinned.values():
        if "@" in image:
            with pytest.raises(docker.errors.ImageNotFound, match=r"No such image: .*@sha256:5eed[^ ]*$"):
                engine.images.get(image)  # the engine reads the name, and does not have it
