import io
import tarfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

import docker
import pytest
import tritonclient.grpc

from tests.system.conftest import SAMPLES
from tests.system.containers.compose_project import REGISTRY, SERVICES, ComposeProject
from tests.system.containers.engine import base_images, connected
from tests.system.containers.steady_load import Detections, detect
from tests.system.dashboards import DEMO_ALIASES
from tests.system.gateway_process import GatewayProcess

Projects = Callable[..., AbstractContextManager[ComposeProject]]


@pytest.fixture(scope="session")
def engine() -> Iterator[docker.DockerClient]:
    client = connected()
    yield client
    client.close()


@pytest.fixture(scope="session")
def images(engine: docker.DockerClient, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The images of the CPU, made from this checkout: their names by service."""
    project = ComposeProject(engine, tmp_path_factory.mktemp("build"), base_images(engine))
    done = project.compose("build", timeout_seconds=1200)
    assert done.returncode == 0, done.stderr[-6000:]
    return {
        "triton": f"{REGISTRY}/triton:0.1.0-cpu",
        "gateway": f"{REGISTRY}/gateway:0.1.0",
        "device-agent": f"{REGISTRY}/device-agent:0.1.0",
    }


@pytest.fixture(scope="session")
def gpu_images(engine: docker.DockerClient, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The gateway's images for GPUs, made from this checkout: their names by profile."""
    variables = base_images(engine) | {"COMPOSE_PROFILES": "gpu,jetson"}
    project = ComposeProject(engine, tmp_path_factory.mktemp("build"), variables)
    done = project.compose("build", "gateway-gpu", "gateway-jetson", timeout_seconds=900)
    assert done.returncode == 0, done.stderr[-6000:]
    return {profile: f"{REGISTRY}/gateway:0.1.0-{profile}" for profile in ("gpu", "jetson")}


@pytest.fixture(scope="session")
def projects(engine: docker.DockerClient, images: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Projects:
    """Makes projects of the images; each is taken down at the end of its block."""

    @contextmanager
    def made(override: str = "", shipped: str = "", **variables: str) -> Iterator[ComposeProject]:
        folder = tmp_path_factory.mktemp("project")
        project = ComposeProject(engine, folder, base_images(engine) | variables, override, shipped)
        try:
            yield project
        finally:
            project.down()

    return made


@pytest.fixture(scope="session")
def running(projects: Projects) -> Iterator[ComposeProject]:
    """``docker compose up`` with the shipped file, for the tests that leave it serving."""
    with projects() as project:
        project.up()
        project.wait_until_healthy(*(service for service in SERVICES if service != "prometheus"))
        project.wait_until_serving(*DEMO_ALIASES)
        yield project


@pytest.fixture(scope="session")
def expected(
    engine: docker.DockerClient, images: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> dict[bytes, Detections]:
    """What a gateway with an embedded Triton, without any container, finds in the sample frames with these builds."""
    folder = tmp_path_factory.mktemp("embedded")
    container = engine.containers.create(images["triton"])
    try:
        chunks, _ = container.get_archive("/opt/outpost/model_repository")
        with tarfile.open(fileobj=io.BytesIO(b"".join(chunks))) as archive:
            archive.extractall(folder, filter="data")
    finally:
        container.remove()
    process = GatewayProcess(folder / "state", folder / "model_repository")
    process.start()
    try:
        process.wait_until_serving("defects")
        with tritonclient.grpc.InferenceServerClient(process.grpc_address) as client:
            frames = [path.read_bytes() for path in SAMPLES]
            return {frame: detect(tritonclient.grpc, client, "defects", frame) for frame in frames}
    finally:
        process.close()
