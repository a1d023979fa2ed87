"""A TensorRT build on a device, from the first start to its answers, against the real Triton.

There is no GPU and no TensorRT here: the maker of plans has a stand-in for the module, its "plan" is ONNX, and Triton's
backend of the name ``tensorrt`` is our ONNX Runtime one. Everything between them is real.
"""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from contracts.active_models import ActiveModels
from contracts.engine_cache import EngineStatus, plan_path, status_path
from gateway.commands.check import status_problems
from gateway.supervision.engine_folder import EngineFolder
from gateway.supervision.plan_copies import remove_plan_copies
from tests.system.conftest import REPOSITORY
from tests.system.gateway_process import GatewayProcess, wait_for
from tests.system.small_builds import brightness_detector, card, write_build

ON_CPU, ON_GPU = "tiny-1.0.0_x86-cpu", "tiny-1.1.0_x86-cpu"
pytestmark = pytest.mark.long
PLAN = brightness_detector(score=0.5).SerializeToString()


class Device:
    """A gateway with an empty cache of engines, and the maker of plans beside it."""

    def __init__(self, gateway: GatewayProcess, work: Path) -> None:
        self.gateway, self.work = gateway, work
        self.engines = gateway.state_dir / "engines"
        self._builders: list[subprocess.Popen[bytes]] = []

    def give_triton_the_backend(self) -> None:
        """Triton looks for a backend when the first build for it is loaded."""
        backends = self.gateway.state_dir / "triton" / "backends"
        (backends / "tensorrt").mkdir()
        for name in ("model.py", "triton_backends"):
            (backends / "tensorrt" / name).symlink_to((backends / "onnxruntime" / name).readlink())

    def start_builder(self) -> subprocess.Popen[bytes]:
        module = "tests.model_compiler.engine_cache.builder_process"
        command = [sys.executable, "-m", module, str(self.gateway.state_dir), str(self.work / "slow"), "--watch"]
        self._builders.append(subprocess.Popen(command, cwd=REPOSITORY))
        return self._builders[-1]

    def build(self) -> dict[str, object]:
        found: dict[str, object] = self.gateway.status()["builds"][ON_GPU]
        return found

    def wait_for_state(self, state: str, words: str = "") -> None:
        def reached() -> bool:
            return self.build()["state"] == state and words in str(self.build()["reason"])

        wait_for(reached, 60.0, lambda: f"{self.build()}\n{self.gateway.log()}")

    def score(self, frame: bytes) -> tuple[str, float]:
        """Which build answers, and its first score: what tells the plan from the build's own ONNX."""
        answer = httpx.post(f"{self.gateway.http_url}/v1/models/tiny/detect", content=frame)
        (found,) = answer.json()["frames"]
        return answer.json()["build"], found["detections"][0]["score"]

    def copies_of_plans(self) -> list[Path]:
        """What Triton keeps of the files that it was given, for this device."""
        owner = EngineFolder(self.engines).owner
        configs = Path("/tmp").glob("folder??????/config.pbtxt")
        return [config.parent for config in configs if f'"{owner}"' in config.read_text()]

    def close(self) -> None:
        for builder in self._builders:
            builder.kill()
            builder.wait()
        self.gateway.close()
        remove_plan_copies(EngineFolder(self.engines).owner)


@pytest.fixture
def device(tmp_path: Path) -> Iterator[Device]:
    seed = tmp_path / "seed"
    seed.mkdir()
    write_build(seed, card("tiny"), brightness_detector().SerializeToString())
    write_build(seed, card("tiny", "1.1.0"), brightness_detector(score=0.8).SerializeToString(), "tensorrt")
    (tmp_path / "plan").write_bytes(PLAN)
    (tmp_path / "slow").touch()
    made = Device(GatewayProcess(tmp_path / "state", seed, instances=1, drain_seconds=1), tmp_path)
    made.gateway.start()
    try:
        made.gateway.wait_until_ready()
        made.give_triton_the_backend()
        yield made
    finally:
        made.close()


def test_the_fallback_serves_until_the_plan_is_there(device: Device, grey_jpeg: bytes) -> None:
    gateway = device.gateway
    active = ActiveModels.model_validate_json((gateway.state_dir / "active.json").read_bytes())
    assert (active.models["tiny"].stable, active.models["tiny"].fallback) == (ON_GPU, ON_CPU)
    assert_stands_in(device, "no TensorRT plan for this machine yet: start outpost-compile engines", grey_jpeg)

    device.start_builder()
    device.wait_for_state("building", "is being made for Orin (compute capability 8.7)")
    assert_stands_in(device, "building: its TensorRT plan is being made", grey_jpeg)
    assert gateway.metric("outpost_build_building", build=ON_GPU) == 1
    assert gateway.metric("outpost_build_building", build=ON_CPU) == 0
    assert gateway.metric("outpost_build_building_since_seconds") == device.build()["building_since"]
    assert any("building" in problem for problem in status_problems(gateway.status()))
    assert not gateway.answers(f"/v2/models/{ON_GPU}/ready")
    assert gateway.answers("/v2/models/tiny/ready")

    (device.work / "slow").unlink()
    device.wait_for_state("ready")
    wait_for(lambda: device.score(grey_jpeg)[0] == ON_GPU, 10.0, gateway.log)
    assert device.score(grey_jpeg)[1] == pytest.approx(0.5 * 200 / 255, abs=0.01)  # the plan's, not the build's 0.8
    assert gateway.status()["models"]["tiny"]["stand_in_reason"] == ""
    assert gateway.metric("outpost_build_building", build=ON_GPU) == 0
    assert "outpost_build_building_since_seconds{" not in gateway.metrics()


def assert_stands_in(device: Device, words: str, frame: bytes) -> None:
    gateway = device.gateway
    wait_for(lambda: words in str(device.build()["reason"]), 30.0, lambda: str(device.build()))
    assert gateway.is_ready()
    assert words in gateway.status()["models"]["tiny"]["stand_in_reason"]
    (described,) = httpx.get(f"{gateway.http_url}/v1/models").json()["models"]
    assert (described["ready"], described["build"]) == (True, ON_CPU)
    assert words in described["reason"]
    build, score = device.score(frame)
    assert build == ON_CPU
    assert score == pytest.approx(0.9 * 200 / 255, abs=0.01)


def test_a_plan_outlives_triton_and_a_killed_builder_is_seen(device: Device, grey_jpeg: bytes) -> None:
    killed = device.start_builder()
    device.wait_for_state("building")
    killed.send_signal(signal.SIGKILL)
    killed.wait(30.0)
    device.wait_for_state("not ready", "nobody works on it: start outpost-compile engines again")
    (device.work / "slow").unlink()
    device.start_builder()
    device.wait_for_state("ready")
    assert len(device.copies_of_plans()) == 1
    old = device.gateway.triton().pid
    os.kill(old, signal.SIGKILL)
    wait_for(lambda: device.build()["state"] != "ready", 10.0, device.gateway.log)
    assert device.copies_of_plans() == []
    # Triton's new life makes its backends anew, without the stand-in: the plan is refused, and the others serve
    device.wait_for_state("not ready", "Triton does not take its TensorRT plan, which is for Orin")
    wait_for(device.gateway.is_ready, 30.0, device.gateway.log)
    assert device.score(grey_jpeg)[0] == ON_CPU


def test_a_damaged_plan_is_said_and_made_again(device: Device, grey_jpeg: bytes) -> None:
    gateway = device.gateway
    (device.work / "slow").unlink()
    builder = device.start_builder()
    device.wait_for_state("ready")
    builder.terminate()
    assert builder.wait(10.0) == 0
    gateway.kill()
    status = EngineStatus.model_validate_json((device.engines / status_path(ON_GPU)).read_bytes())
    assert status.key is not None
    (device.engines / plan_path(status.key)).write_bytes(b"x")
    gateway.start()
    gateway.wait_until_ready()
    device.give_triton_the_backend()
    device.wait_for_state("not ready", "is not what its maker wrote")
    assert device.score(grey_jpeg)[0] == ON_CPU
    device.start_builder()
    device.wait_for_state("ready")
    assert device.score(grey_jpeg)[0] == ON_GPU
