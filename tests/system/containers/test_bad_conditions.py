"""What an operator is told when something around the containers is wrong, and what goes on serving."""

import os
import re
import socket
from pathlib import Path

import docker
import pytest

from contracts.active_models import ActiveModel, ActiveModels
from tests.system.containers.compose_project import REGISTRY, REPOSITORY, SERVICES, ComposeProject
from tests.system.containers.conftest import Projects
from tests.system.containers.steady_load import Detections
from tests.system.dashboards import DEMO_ALIASES
from tests.system.gateway_process import wait_for
from tests.system.small_builds import brightness_detector, card, identity_model, write_build, write_raw_build

pytestmark = pytest.mark.containers
CORES = len(os.sched_getaffinity(0))
STATE = "volumes: {{state: {{driver: local, driver_opts: {{type: tmpfs, device: tmpfs, o: '{}'}}}}}}\n"
SOON_UNHEALTHY = "services: {gateway: {healthcheck: {start_period: 5s}}}\n"
UNHEALTHY_SECONDS = 30.0


def wait_for_restarts(project: ComposeProject, service: str) -> None:
    wait_for(lambda: project.restarts(service) >= 1, UNHEALTHY_SECONDS, project.logs)


def the_rest_runs(project: ComposeProject) -> bool:
    return {project.state(service)["Status"] for service in ("device-agent", "prometheus")} == {"running"}


def test_a_port_that_is_taken_is_named(projects: Projects) -> None:
    with projects() as project, socket.socket() as other:
        other.bind(("127.0.0.1", project.ports["http"]))
        other.listen()
        said = project.refused_up()
        assert f"127.0.0.1:{project.ports['http']}" in said
        assert "address already in use" in said
        assert the_rest_runs(project)
        assert project.health("triton") == "healthy"


def test_a_limit_of_more_cores_than_there_are_is_refused(projects: Projects) -> None:
    with projects(OUTPOST_AGENT_CPUS=str(CORES + 1)) as project:
        said = project.refused_up("device-agent")
        sentence = r"range of CPUs is from 0.01 to [\d.]+, as there are only \d+ CPUs available"
        assert re.search(sentence, said, re.IGNORECASE), said
        assert re.search(sentence, (REPOSITORY / "docs" / "deploy.md").read_text(), re.IGNORECASE)


@pytest.fixture
def gpu_images(engine: docker.DockerClient, images: dict[str, str]) -> None:
    """The CPU's images under the names of those for GPUs: what is tested is what the engine says before they start."""
    for suffix in ("gpu", "jetson"):
        engine.images.get(images["triton"]).tag(f"{REGISTRY}/triton", f"0.1.0-{suffix}")
    engine.images.get(images["gateway"]).tag(f"{REGISTRY}/gateway", "0.1.0-gpu")


@pytest.mark.usefixtures("gpu_images")
@pytest.mark.parametrize(
    ("profile", "sentence"),
    [("gpu", 'could not select device driver "nvidia"'), ("jetson", "unknown.*runtime.*nvidia")],
    ids=["gpu", "jetson"],
)
def test_a_machine_without_nvidias_parts_is_told_what_is_missing(
    projects: Projects, profile: str, sentence: str
) -> None:
    with projects(COMPOSE_PROFILES=profile) as project:
        assert re.search(sentence, project.refused_up(), re.IGNORECASE)
        assert re.search(sentence, (REPOSITORY / "docs" / "deploy.md").read_text(), re.IGNORECASE)


def test_shared_memory_that_is_too_small_for_triton(projects: Projects) -> None:
    with projects(OUTPOST_SHARED_MEMORY_SIZE="8m") as project:
        said = project.refused_up()
        assert "triton" in said
        wait_for_restarts(project, "triton")
        needed = re.search(r"shared memory has 8 MiB free, and Triton's backends need (\d+):", project.log("triton"))
        assert needed is not None, project.log("triton")
        assert int(needed[1]) > 8
        assert "OUTPOST_SHARED_MEMORY_SIZE" in project.log("triton")
        assert the_rest_runs(project)


def test_shared_memory_that_is_too_small_for_the_frames(projects: Projects, expected: dict[bytes, Detections]) -> None:
    override = "services: {gateway: {environment: {OUTPOST_GATEWAY_MAX_IN_FLIGHT: 1000}}}\n"
    with projects(override, OUTPOST_SHARED_MEMORY_SIZE=f"{16 * CORES + 2}m") as project:
        project.up()
        project.wait_until_serving("defects")
        (worker,) = project.gateway_status()["workers"]
        assert not worker["shared_memory"]
        assert "No space left" in worker["shared_memory_reason"]
        assert "tensors travel in the request" in project.log("gateway")
        project.require_detections(expected)


@pytest.mark.parametrize(
    ("override", "sentence"),
    [
        ("services: {triton: {volumes: ['state:/var/lib/outpost:ro']}}", "Read-only file system"),
        (STATE.format("size=256k,uid=10001,mode=0755"), "No space left on device"),
        (STATE.format("size=64m,uid=0,mode=0755"), "Permission denied"),
    ],
    ids=["read-only", "full", "owned-by-root"],
)
def test_a_state_volume_that_cannot_be_used(projects: Projects, override: str, sentence: str) -> None:
    with projects(override) as project:
        assert "triton" in project.refused_up()
        wait_for_restarts(project, "triton")
        said = project.log("triton")
        assert sentence in said
        assert "the state folder /var/lib/outpost cannot be used" in said
        assert "see that user 10001 may write it" in said
        assert the_rest_runs(project)


def test_a_disk_that_fills_up_while_frames_are_answered(projects: Projects, expected: dict[bytes, Detections]) -> None:
    with projects(STATE.format("size=64m,uid=10001,gid=10001,mode=0755")) as project:
        project.up("gateway")
        project.wait_until_serving(*DEMO_ALIASES)
        with pytest.raises(OSError, match="No space left"):
            (project.volume_folder("state") / "filling").write_bytes(b"x" * 64 * 2**20)
        project.require_detections(expected)
        project.kill("triton")
        wait_for(lambda: project.gateway_status()["triton"]["starts"] == 2, 20, project.logs)
        project.wait_until_serving("defects")
        project.require_detections(expected)


def test_a_corrupted_build_is_named_and_the_others_serve(projects: Projects, expected: dict[bytes, Detections]) -> None:
    with projects(SOON_UNHEALTHY) as project:
        project.up("gateway")
        project.wait_until_serving("defects", "parts")
        project.compose("stop", "gateway", "triton")
        (model,) = (project.volume_folder("state") / "repository").glob("parts-*/1/model.onnx")
        content = bytearray(model.read_bytes())
        content[len(content) // 2] ^= 1
        model.write_bytes(content)
        project.compose("start", "triton", "gateway")
        project.wait_until_serving("defects")
        project.require_detections(expected)
        wait_for(lambda: project.health("gateway") == "unhealthy", UNHEALTHY_SECONDS, project.logs)
        assert re.search(
            r"parts-.*: it does not load: 1/model.onnx differs from the manifest", project.health_said("gateway")
        )
        assert "differs from the manifest" in project.log("gateway")
        answer = project.post("/v1/models/parts/classify", next(iter(expected)))
        assert (answer.status_code, "differs from the manifest" in answer.text) == (503, True), answer.text


def test_a_mounted_build_for_another_machine_is_refused_and_the_others_serve(
    projects: Projects, tmp_path: Path
) -> None:
    write_build(tmp_path, card("tiny"), brightness_detector().SerializeToString())
    write_raw_build(tmp_path, "plus-1.0.0_jetson-orin-nx", identity_model().SerializeToString())
    tmp_path.chmod(0o755)
    with projects(SOON_UNHEALTHY, OUTPOST_MODELS=str(tmp_path)) as project:
        project.up("gateway")
        project.wait_until_serving("tiny")
        active_file = project.volume_folder("state") / "active.json"
        active = ActiveModels.model_validate_json(active_file.read_bytes())
        wanted = {**active.models, "plus": ActiveModel(stable="plus-1.0.0_jetson-orin-nx")}
        active_file.write_text(active.model_copy(update={"models": wanted}).model_dump_json())
        sentence = "refused: it is built for jetson-orin-nx, and this machine is x86-cpu"
        wait_for(lambda: sentence in project.health_said("gateway"), UNHEALTHY_SECONDS, project.logs)
        wait_for(lambda: project.health("gateway") == "unhealthy", UNHEALTHY_SECONDS, project.logs)
        assert project.serves("tiny")


def test_mounted_builds_that_may_not_be_read_are_not_taken_for_none(projects: Projects, tmp_path: Path) -> None:
    write_build(tmp_path, card("tiny"), brightness_detector().SerializeToString())
    tmp_path.chmod(0o700)
    with projects(OUTPOST_MODELS=str(tmp_path)) as project:
        assert "triton" in project.refused_up()
        wait_for_restarts(project, "triton")
        said = project.log("triton")
        assert "the mounted builds cannot be used: user 10001 cannot read /models: Permission denied" in said
        assert "(chmod -R a+rX), or mount another one (--mounted-seed-dir; Compose: OUTPOST_MODELS)" in said


def test_taking_a_project_down_leaves_nothing(projects: Projects) -> None:
    with projects() as project:
        project.up()
        assert len(project.left_over()) > len(SERVICES)
        project.down()
        assert project.left_over() == []
