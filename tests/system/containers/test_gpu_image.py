"""The gateway's images for GPUs: whether what a GPU needs is in them, as far as that shows without one."""

import json
import subprocess
from pathlib import Path

import docker
import numpy as np
import pytest

from tests.system.conftest import SAMPLES, Measured, encode
from tests.system.containers.compose_project import REPOSITORY
from tests.system.containers.conftest import Projects
from tests.system.sizes import Sizes
from tests.system.small_builds import brightness_detector, card, write_build

pytestmark = pytest.mark.containers
KERNELS = ["place uint8", "place float32", "score_anchors", "collect_best", "compare_candidates", "suppress_repeats"]
DECODE = """
import ctypes, sysconfig
from pathlib import Path
import nvtx, simplejpeg
from gateway.cuda.jpeg_decoder import JpegDecoder
frames = [path.read_bytes() for path in Path("/samples").glob("*.jpg")]
for frame, picture in zip(frames, JpegDecoder(None).decode(frames, 0), strict=True):
    assert (picture == simplejpeg.decode_jpeg(frame, "rgb")).all()
folder = Path(sysconfig.get_path("purelib"), "nvidia")
for library in ("nvjpeg/lib/libnvjpeg.so.*", "nvimgcodec/extensions/libnvjpeg_ext.so.*"):
    ctypes.CDLL(str(next(folder.glob(library))))
print(len(frames))
"""
MISSING = "from gateway.cuda.jpeg_decoder import why_no_jpeg_decoder; print(why_no_jpeg_decoder())"
SIMULATED = """
services:
  gateway:
    environment: {NUMBA_ENABLE_CUDASIM: "1", OUTPOST_GATEWAY_PREPROCESS: cuda}
"""


def run_in_image(engine: docker.DockerClient, image: str, *arguments: str, driver: Path | None = None) -> str:
    """What Python prints there, confined as Compose confines it.

    Args:
        engine: Runs it.
        image: Of a gateway for GPUs.
        arguments: Of Python.
        driver: Folder with a ``libcuda.so.1``.
    """
    mounted = {REPOSITORY / "tests": "/opt/outpost/source/tests", REPOSITORY / "samples" / "frames": "/samples"}
    mounted |= {driver: "/driver"} if driver is not None else {}
    output: bytes = engine.containers.run(
        image,
        list(arguments),
        entrypoint="python3",
        volumes={str(source): {"bind": target, "mode": "ro"} for source, target in mounted.items()},
        environment={"LD_LIBRARY_PATH": "/driver"},
        tmpfs={"/tmp": ""},
        read_only=True,
        network_disabled=True,
        remove=True,
    )
    return output.decode()


@pytest.mark.parametrize(
    ("profile", "capability"), [("gpu", "7.5"), ("gpu", "9.0a"), ("gpu", "12.0a"), ("jetson", "8.7")]
)
def test_every_kernel_becomes_machine_code(
    engine: docker.DockerClient, gpu_images: dict[str, str], profile: str, capability: str
) -> None:
    said = run_in_image(engine, gpu_images[profile], "-m", "tests.system.containers.machine_code", capability)
    assert said.splitlines() == [f"{name} 1" for name in KERNELS]


@pytest.fixture
def made_up_driver(tmp_path: Path) -> Path:
    source = Path(__file__).with_name("made_up_driver.c")
    command = ["gcc", "-shared", "-fPIC", "-o", str(tmp_path / "libcuda.so.1"), str(source), "-ldl"]
    subprocess.run(command, check=True)
    tmp_path.chmod(0o755)
    return tmp_path


@pytest.mark.soak
def test_the_driver_is_called_as_it_wants_and_gets_everything_back(
    engine: docker.DockerClient,
    gpu_images: dict[str, str],
    made_up_driver: Path,
    sizes: Sizes,
    measured: Measured,
) -> None:
    """The packages between our code and the driver, which no simulator stands in for, are the image's."""
    program = ("-m", "tests.system.containers.driver_calls", str(sizes.requests))
    said = run_in_image(engine, gpu_images["gpu"], *program, driver=made_up_driver)
    told = json.loads(said.splitlines()[-1])
    settled, at_the_end = told["told"][2:], told["at_the_end"]
    for name in ("allocated", "pinned", "streams"):
        assert {each[name] for each in settled} == {settled[0][name]}, settled
    assert settled[-1]["launches"] > settled[0]["launches"] > 0
    assert [each["rss_bytes"] for each in settled] == pytest.approx([settled[0]["rss_bytes"]] * len(settled), abs=2**24)
    assert told["handle"] == "ab" * 64
    assert (at_the_end["allocated"], at_the_end["pinned"], at_the_end["without_context"]) == (0, 0, 0)
    rss_mib = [each["rss_bytes"] // 2**20 for each in (settled[0], settled[-1])]
    measured(
        "driver that is made up", {"frames": sizes.requests, "launches": at_the_end["launches"], "rss_mib": rss_mib}
    )


def test_nvimagecodec_decodes_jpegs_by_its_cpu_decoders_and_has_the_gpus(
    engine: docker.DockerClient, gpu_images: dict[str, str]
) -> None:
    assert run_in_image(engine, gpu_images["gpu"], "-c", DECODE).strip() == str(len(SAMPLES))


def test_a_jetson_has_no_decoder_that_is_made_for_servers(
    engine: docker.DockerClient, gpu_images: dict[str, str]
) -> None:
    assert run_in_image(engine, gpu_images["jetson"], "-c", MISSING).strip() == "nvImageCodec is not installed"


def test_the_driver_is_asked_for_what_decodes_jpegs_in_hardware(
    engine: docker.DockerClient, gpu_images: dict[str, str]
) -> None:
    variables = dict(entry.split("=", 1) for entry in engine.images.get(gpu_images["gpu"]).attrs["Config"]["Env"])
    assert set(variables["NVIDIA_DRIVER_CAPABILITIES"].split(",")) == {"compute", "utility", "video"}


def test_the_gateway_prepares_frames_by_the_kernels(
    projects: Projects, gpu_images: dict[str, str], tmp_path: Path
) -> None:
    write_build(tmp_path, card("tiny"), brightness_detector().SerializeToString())
    tmp_path.chmod(0o755)
    with projects(SIMULATED, OUTPOST_GATEWAY_IMAGE=gpu_images["gpu"], OUTPOST_MODELS=str(tmp_path)) as project:
        project.up("gateway")
        project.wait_until_serving("tiny")
        for extension, scale in (("jpg", 2), ("png", 1)):
            picture = encode(np.full((48 * scale, 64 * scale, 3), 200, np.uint8), f".{extension}")
            (frame,) = project.post("/v1/models/tiny/detect", picture).json()["frames"]
            (found,) = frame["detections"]
            assert found["box"] == pytest.approx([side * scale for side in (16, 12, 48, 36)], abs=0.01)
            assert found["score"] == pytest.approx(0.9 * 200 / 255, abs=0.005)
        (worker,) = project.gateway_status()["workers"]
        assert (worker["preprocessing"], worker["transport"]) == ("cuda", "system_shared_memory")
        code, said = project.run_in("gateway", "outpost-gateway", "check")
        assert (code, "simulator" in said) == (0, True), said
