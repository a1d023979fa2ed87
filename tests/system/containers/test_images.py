"""What is in the images, and what a change of the code rebuilds."""

import json
import re
import shutil
import subprocess
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, Any, cast

import docker
import pytest

from benchmarks.containers_report import SIZE_GOALS_MB
from contracts.build_name import BuildName
from tests.system.containers.compose_project import REGISTRY, REPOSITORY, ComposeProject
from tests.system.containers.engine import base_images

pytestmark = pytest.mark.containers
IMAGES = ("triton", "gateway", "gateway-gpu", "device-agent", "compiler")
GROWN_MB = {"triton": 650, "gateway": 520, "gateway-gpu": 1100, "device-agent": 180, "compiler": 1200}
SIZES_PAGE = REPOSITORY / "benchmarks" / "results" / "containers.md"
LOCKS = {
    "triton": ("images/triton", "images/triton-server"),
    "gateway": ("images/gateway",),
    "gateway-gpu": ("images/gateway", "images/gateway-gpu"),
    "device-agent": ("device-agent",),
    "compiler": ("images/compiler",),
}
WELL_KNOWN = {
    "triton": {"numpy", "openvino", "onnxruntime", "nvidia-pytriton"},
    "gateway": {"numpy", "opencv-python-headless", "tritonclient", "uvicorn"},
    "gateway-gpu": {"opencv-python-headless", "numba-cuda", "cuda-core", "nvidia-nvimgcodec-cu12"},
    "device-agent": {"psutil", "prometheus-client"},
    "compiler": {"numpy", "openvino", "onnxruntime", "onnx", "nvidia-pytriton"},
}
BUILD_TOOLS = {"gcc", "g++", "cc", "c++", "clang", "ld", "as", "make", "cmake", "ninja", "git"}
LEFT_OVERS = ("root/.cache/", "tmp/", "build/", "var/lib/apt/lists/", "var/cache/apt/archives/")
MOST_LAYERS_REBUILT = 2


@dataclass(frozen=True, slots=True)
class Contents:
    """Files of an image: paths without a leading slash."""

    files: tuple[str, ...]
    software: dict[str, Any]


@pytest.fixture(scope="module")
def every_image(
    engine: docker.DockerClient,
    images: dict[str, str],
    gpu_images: dict[str, str],
    tmp_path_factory: pytest.TempPathFactory,
) -> dict[str, str]:
    """Those that an edge gateway runs without a GPU, the gateway's for one, and the compiler's."""
    project = ComposeProject(engine, tmp_path_factory.mktemp("build"), base_images(engine))
    done = project.compose("build", "compiler", timeout_seconds=1200)
    assert done.returncode == 0, done.stderr[-6000:]
    return images | {"gateway-gpu": gpu_images["gpu"], "compiler": f"{REGISTRY}/compiler:0.1.0"}


@pytest.fixture(scope="module", params=IMAGES)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def contents(engine: docker.DockerClient, every_image: dict[str, str], name: str) -> Contents:
    container = engine.containers.create(every_image[name])
    try:
        return read_contents(container.export())
    finally:
        container.remove()


def read_contents(chunks: Iterator[bytes]) -> Contents:
    files, software = [], {}
    with tarfile.open(fileobj=cast("IO[bytes]", _Chunks(chunks)), mode="r|") as archive:
        for member in archive:
            if not member.isdir():
                files.append(member.name)
            if member.name == "opt/outpost/sbom.cdx.json":
                content = archive.extractfile(member)
                assert content is not None
                software = json.load(content)
    return Contents(tuple(files), software)


class _Chunks:
    """Pieces of bytes, to be read as a file."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks = chunks
        self._left = b""

    def read(self, size: int) -> bytes:
        while len(self._left) < size and (chunk := next(self._chunks, b"")):
            self._left += chunk
        taken, self._left = self._left[:size], self._left[size:]
        return taken


def test_an_image_has_not_grown(engine: docker.DockerClient, every_image: dict[str, str], name: str) -> None:
    """A guard against growth, and no goal: the gateway misses its own, 250 MB."""
    size_mb = engine.images.get(every_image[name]).attrs["Size"] / 10**6
    grown = f"{name} has grown to {size_mb:.0f} MB: its guard, which is no goal, is {GROWN_MB[name]}; what came in?"
    assert size_mb <= GROWN_MB[name], grown


@pytest.mark.parametrize("name", SIZE_GOALS_MB)
def test_a_goal_for_the_size_that_is_missed_is_said_to_be(
    engine: docker.DockerClient, every_image: dict[str, str], name: str
) -> None:
    missed = engine.images.get(every_image[name]).attrs["Size"] > SIZE_GOALS_MB[name] * 10**6
    rows = [line for line in SIZES_PAGE.read_text().splitlines() if line.startswith("|") and f"/{name}:" in line]
    (row,) = [row for row in rows if "-gpu |" not in row]  # which has no goal
    assert row.rsplit("|", 2)[1].strip().startswith(f"{SIZE_GOALS_MB[name]}: ")
    assert ("missed" in row) == missed, f"{name} misses its goal: {missed}; {SIZES_PAGE.name} says: {row}"


def test_an_image_carries_no_build_tools_and_no_left_overs(contents: Contents) -> None:
    programs = {path for path in contents.files if PurePosixPath(path).parent.name in {"bin", "sbin"}}
    assert {path for path in programs if re.sub(r"-[\d.]+$", "", PurePosixPath(path).name) in BUILD_TOOLS} == set()
    left = [path for path in contents.files if path.startswith(LEFT_OVERS)]
    assert [path for path in left if not path.endswith("/lock")] == []  # an empty file of the base
    assert [path for path in contents.files if path.startswith("usr/include/")] == []
    ours = [path for path in contents.files if path.startswith("opt/outpost/")]
    assert [path for path in ours if "/pip/" in path or "/setuptools/" in path or "/tests/" in path] == []


def test_an_image_has_the_byte_code_of_what_it_runs(contents: Contents) -> None:
    modules = {path for path in contents.files if path.startswith("opt/outpost/source/") and path.endswith(".py")}
    compiled = {path for path in contents.files if path.startswith("opt/outpost/source/") and path.endswith(".pyc")}
    assert modules
    made_of = {re.sub(r"__pycache__/(\w+)\.cpython-\d+\.pyc$", r"\1.py", path) for path in compiled}
    assert modules == made_of


def test_an_image_says_what_it_is_made_of(contents: Contents, name: str) -> None:
    assert (contents.software["bomFormat"], contents.software["specVersion"]) == ("CycloneDX", "1.5")
    versions = {each["name"]: each["version"] for each in contents.software["components"]}
    assert WELL_KNOWN[name] <= versions.keys()
    assert versions["libc6"].startswith("2.")
    locked = "\n".join((REPOSITORY / "requirements" / f"{lock}.txt").read_text() for lock in LOCKS[name])
    pinned = dict(re.findall(r"^([a-z0-9-]+)==([\w.]+) \\$", locked, re.MULTILINE))
    assert pinned
    assert {package: versions.get(package) for package in pinned} == pinned
    purls = [each["purl"] for each in contents.software["components"]]
    assert len(set(purls)) == len(purls)


def test_the_triton_image_has_a_build_of_each_shipped_model(contents: Contents, name: str) -> None:
    if name != "triton":
        ours = [path for path in contents.files if "/site-packages/" not in path]
        assert [path for path in ours if path.endswith((".onnx", ".plan"))] == []
        return
    inside = {path.split("/")[3] for path in contents.files if path.startswith("opt/outpost/model_repository/")}
    shipped = {path.name for path in (REPOSITORY / "model_repository").iterdir()}
    assert {BuildName.parse(each).model for each in inside if "_" in each} == {
        BuildName.parse(each).model for each in shipped if "_" in each
    }
    assert "cascades.json" in inside


def test_an_image_is_labelled_and_runs_as_nobody_special(
    engine: docker.DockerClient, every_image: dict[str, str], name: str
) -> None:
    config = engine.images.get(every_image[name]).attrs["Config"]
    assert config["User"] == "10001:10001"
    serves = name != "compiler"  # which ends by itself
    assert config["Healthcheck"]["Test"][0] == ("CMD" if serves else "NONE")
    assert bool(config.get("ExposedPorts")) == serves
    labels = {key.removeprefix("org.opencontainers.image."): value for key, value in config["Labels"].items()}
    assert labels["version"] == "0.1.0"
    assert labels["licenses"] == "Apache-2.0"
    assert all(labels[key] for key in ("title", "description", "revision"))


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of what git has of this checkout, or would take into it."""
    copy = tmp_path_factory.mktemp("checkout")
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=True,
    )
    for path in listed.stdout.split("\0"):
        source, target = REPOSITORY / path, copy / path
        if source.is_file():
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target)
    return copy


def build(engine: docker.DockerClient, checkout: Path, name: str) -> list[str]:
    """The layers of an image that is made from a checkout."""
    tag = f"outpost-test/rebuilt-{name}"
    arguments = [f"--build-arg=PYTHON_BASE={base}" for base in [base_images(engine).get("OUTPOST_PYTHON_BASE")] if base]
    dockerfile = checkout / "containers" / name / "Dockerfile"
    done = subprocess.run(
        ["docker", "buildx", "build", "--load", f"--tag={tag}", f"--file={dockerfile}", *arguments, str(checkout)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    layers: list[str] = engine.images.get(tag).attrs["RootFS"]["Layers"]
    return layers


@pytest.mark.parametrize(
    ("name", "module"),
    [
        ("triton", "gateway/app.py"),
        ("gateway", "gateway/app.py"),
        ("device-agent", "device_agent/settings.py"),
        ("compiler", "model_compiler/errors.py"),
    ],
    ids=["triton", "gateway", "device-agent", "compiler"],
)
@pytest.mark.usefixtures("every_image")
def test_touching_one_module_rebuilds_at_most_two_layers(
    engine: docker.DockerClient, checkout: Path, name: str, module: str
) -> None:
    before = build(engine, checkout, name)
    with (checkout / module).open("a") as content:
        content.write("# touched\n")
    after = build(engine, checkout, name)
    same = sum(1 for one, other in zip(before, after, strict=True) if one == other)
    assert 1 <= len(after) - same <= MOST_LAYERS_REBUILT
    engine.images.remove(f"outpost-test/rebuilt-{name}")
