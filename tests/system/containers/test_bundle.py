"""A bundle, installed on an engine that has nothing and reaches nothing."""

import json
import os
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path

import docker
import pytest

from gateway.listeners import free_port
from tests.system.conftest import SAMPLES
from tests.system.containers.compose_project import PUBLISHED, REGISTRY, REPOSITORY
from tests.system.containers.engine import base_images
from tests.system.containers.steady_load import Detections
from tests.system.gateway_process import wait_for

pytestmark = pytest.mark.containers
UP = "docker compose up --detach --wait --no-build --pull never"
TOKENS = "/run/outpost-secrets/tokens"
SECRET = "a-token-that-stays-here"
FOLDERS = {"data-root": "data", "exec-root": "exec", "pidfile": "pid"}
POST = (
    "import pathlib, sys, urllib.request as u\n"
    "_, url, file, token = sys.argv\n"
    "asked = u.Request(url, pathlib.Path(file).read_bytes(), {'authorization': f'Bearer {token}'})\n"
    "sys.stdout.write(u.urlopen(asked, timeout=30).read().decode())"
)


@pytest.fixture(scope="module")
def variables(engine: docker.DockerClient) -> dict[str, str]:
    ports = {f"OUTPOST_{name.upper()}_PORT": str(free_port()) for name in PUBLISHED}
    return {"OUTPOST_REGISTRY": REGISTRY} | base_images(engine) | ports


@pytest.fixture(scope="module")
def bundle(images: dict[str, str], variables: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Unpacked."""
    assert images
    folder = tmp_path_factory.mktemp("site")
    file = folder / "bundle.tar"
    secrets = folder.parent / "secrets-of-the-office"
    secrets.mkdir()
    (secrets / "tokens").write_text(f"{SECRET}\n")
    environment = dict(os.environ) | variables | {"OUTPOST_SECRETS": str(secrets), "OUTPOST_TOKEN_FILE": TOKENS}
    made = subprocess.run(
        [REPOSITORY / "containers" / "make_bundle", file], env=environment, capture_output=True, text=True, check=False
    )
    assert made.returncode == 0, made.stderr
    with tarfile.open(file) as archive:
        archive.extractall(folder, filter="tar")
    file.unlink()
    (unpacked,) = folder.iterdir()
    return unpacked


class LonelyEngine:
    """A second engine with a folder of its own, in a network of its own that leads nowhere."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._address = f"unix://{folder}/socket"
        apart = [f"--{option}={folder}/{name}" for option, name in FOLDERS.items()]
        start = f"ip link set lo up && exec dockerd --host={self._address} {' '.join(apart)}"
        with (folder / "log").open("wb") as log:
            self.process = subprocess.Popen(["unshare", "--net", "sh", "-c", start], stdout=log, stderr=log)

    def log(self) -> str:
        return (self._folder / "log").read_text()[-3000:]

    def answers(self) -> bool:
        return self.run("docker", "info").returncode == 0

    def run(self, *command: str, folder: Path | None = None) -> subprocess.CompletedProcess[str]:
        """Run a command that asks this engine."""
        ours = {name: value for name, value in os.environ.items() if not name.startswith(("OUTPOST_", "COMPOSE_"))}
        environment = ours | {"DOCKER_HOST": self._address}
        return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)

    def post(self, url: str, file: Path, token: str) -> str:
        """The answer to a file, asked from inside its network; empty where there is none."""
        enter = ["nsenter", f"--net=/proc/{self.process.pid}/ns/net"]
        done = self.run(*enter, sys.executable, "-c", POST, url, str(file), token)
        return done.stdout


@pytest.fixture(scope="module")
def lonely(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LonelyEngine]:
    engine = LonelyEngine(tmp_path_factory.mktemp("engine"))
    try:
        wait_for(engine.answers, 60, engine.log)
        yield engine
    finally:
        engine.process.terminate()
        engine.process.wait(60)


def test_a_damaged_bundle_loads_nothing(bundle: Path, lonely: LonelyEngine) -> None:
    rules = bundle / "compose" / "prometheus" / "prometheus.yml"
    whole = rules.read_bytes()
    rules.write_bytes(whole + b"#")
    try:
        done = lonely.run("./install", folder=bundle)
    finally:
        rules.write_bytes(whole)
    assert done.returncode == 1
    assert "prometheus.yml: FAILED" in done.stdout
    assert "the bundle is damaged: copy it again" in done.stderr
    assert lonely.run("docker", "images", "--quiet").stdout == ""


def test_which_secrets_are_read_goes_along_and_not_what_is_in_them(bundle: Path, lonely: LonelyEngine) -> None:
    settings = (bundle / ".env").read_text().splitlines()
    assert {"OUTPOST_SECRETS=./secrets", f"OUTPOST_TOKEN_FILE={TOKENS}", f"OUTPOST_REGISTRY={REGISTRY}"} <= {*settings}
    assert SECRET not in "".join(path.read_text(errors="replace") for path in bundle.rglob("*.y*ml"))
    assert not (bundle / "secrets").exists()
    done = lonely.run("./install", folder=bundle)
    assert done.returncode == 1
    assert "secrets/tokens is missing (OUTPOST_TOKEN_FILE): put it there" in done.stderr


def test_it_serves_on_an_engine_that_had_nothing(
    bundle: Path, lonely: LonelyEngine, variables: dict[str, str], expected: dict[bytes, Detections]
) -> None:
    (bundle / "secrets").mkdir()
    (bundle / "secrets" / "tokens").write_text(f"{SECRET}\n")
    installed = lonely.run("./install", folder=bundle)
    assert installed.returncode == 0, installed.stderr
    assert UP in installed.stdout
    up = lonely.run(*UP.split(), folder=bundle)
    try:
        assert up.returncode == 0, up.stderr
        url = f"http://127.0.0.1:{variables['OUTPOST_HTTP_PORT']}/v1/models/defects/detect"
        found = json.loads(lonely.post(url, SAMPLES[0], SECRET))["frames"][0]["detections"]
        assert len(found) == expected[SAMPLES[0].read_bytes()]["num_detections"][0]
    finally:
        lonely.run("docker", "compose", "down", "--volumes", "--timeout", "5", folder=bundle)


def test_an_image_that_is_not_there_is_named(tmp_path: Path) -> None:
    environment = dict(os.environ) | {"OUTPOST_REGISTRY": "outpost-nowhere"}
    file = tmp_path / "bundle.tar"
    done = subprocess.run(
        [REPOSITORY / "containers" / "make_bundle", file], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert "outpost-nowhere/" in done.stderr
    assert "make images" in done.stderr
    assert list(tmp_path.iterdir()) == []
