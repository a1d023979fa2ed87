"""Plans on a device, against a stand-in for TensorRT: which are made, kept, made again, and what a failure leaves."""

import json
import re
import resource
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from contracts.engine_cache import EngineStatus, plan_path, status_path
from model_compiler.engine_cache.device_builder import DISK_RETRY_SECONDS, DeviceBuilder
from model_compiler.engine_cache.engine_store import EngineStore
from model_compiler.engine_cache.errors import EnginesInUse
from model_compiler.engines.cuda_device import CudaDevice
from model_compiler.engines.tensorrt_host import TensorRtHost
from tests.model_compiler.engine_cache.tensorrt_repository import CLASS, DEFECTS, PARTS, add_build, host
from tests.model_compiler.engines.fake_tensorrt import FakeParserError, FakeTensorRt

BEGUN = "Builder(logger from WARNING on)"
BUILT = "Builder.build_serialized_network(network, config)"


class Device:
    """A state folder, and builders that look at it one after the other, as after restarts."""

    def __init__(self, state: Path) -> None:
        self.state, self.store = state, EngineStore(state)
        self.said: list[str] = []
        self.now = 1000.0

    def builder(self, machine: TensorRtHost) -> DeviceBuilder:
        repository = self.state / "repository"
        return DeviceBuilder(machine, self.store, repository, CLASS.__eq__, self.said.append, lambda: self.now)

    def look(self, api: FakeTensorRt, *, device: CudaDevice | None = None) -> dict[str, EngineStatus]:
        machine = host(api) if device is None else host(api, device)
        return {status.build: status for status in self.builder(machine).look()}

    def plan(self, status: EngineStatus) -> Path:
        assert status.key is not None
        return self.store.root / plan_path(status.key)

    def plans(self) -> list[Path]:
        return sorted(self.store.root.glob("*/model.plan"))

    def status(self, build: str = DEFECTS) -> EngineStatus:
        status = self.store.status(build)
        assert status is not None
        return status


@pytest.fixture
def device(tmp_path: Path) -> Iterator[Device]:
    made = Device(tmp_path / "state")
    add_build(made.state, DEFECTS)
    with made.store.opened():
        yield made


def test_each_build_that_runs_here_gets_its_plan(device: Device) -> None:
    add_build(device.state, PARTS, factor=2.0)
    add_build(device.state, f"cpu-1.0.0_{CLASS}", backend="onnxruntime")
    add_build(device.state, "elsewhere-1.0.0_x86-nvidia-gpu")
    (device.state / "repository" / "not a build").mkdir()
    api = FakeTensorRt(plan=b"a plan")
    statuses = device.look(api)
    assert {build: status.state for build, status in statuses.items()} == {DEFECTS: "ready", PARTS: "ready"}
    status = statuses[DEFECTS]
    assert device.plan(status).read_bytes() == b"a plan"
    assert (status.plan_size_bytes, status.started_at, status.finished_at) == (6, 1000.0, 1000.0)
    assert status.facts is not None
    assert status.facts.machine == "Orin (compute capability 8.7), TensorRT 10.13.3.9, CUDA 12.6"
    assert "profile 1: images (1, 8, 8, 3) .. (4, 8, 8, 3) .. (4, 8, 8, 3)" in status.facts.told
    assert device.status() == status
    assert api.calls.count(BUILT) == 2


def test_while_it_is_made_the_status_says_so_and_no_plan_is_there(device: Device) -> None:
    seen: list[tuple[EngineStatus, list[Path]]] = []
    device.look(FakeTensorRt(meanwhile=lambda: seen.append((device.status(), device.plans()))))
    ((status, plans),) = seen
    assert (status.state, status.reason, status.finished_at) == ("building", "there is no plan yet", None)
    assert plans == []
    assert device.said[0].startswith(f"{DEFECTS}: building for Orin (compute capability 8.7)")


def test_what_is_there_is_not_made_again(device: Device) -> None:
    first = device.look(FakeTensorRt())
    api = FakeTensorRt()
    device.now += 60.0
    assert device.look(api) == first
    assert BUILT not in api.calls


@pytest.mark.parametrize(
    ("version", "gpu", "reason"),
    [
        ("10.14.0", CudaDevice("Orin", "8.7", "12.6"), "the plan that is there is for Orin .*TensorRT 10.13.3.9"),
        ("10.13.3.9", CudaDevice("A10", "8.6", "12.6"), "the plan that is there is for Orin .*capability 8.7"),
        ("10.13.3.9", CudaDevice("Other", "8.7", "12.6"), "the plan that is there is for Orin "),
        ("10.13.3.9", CudaDevice("Orin", "8.7", "12.8"), "the plan that is there is for .*CUDA 12.6"),
    ],
    ids=["tensorrt", "generation", "model-of-gpu", "cuda"],
)
def test_a_plan_for_something_else_is_made_again_and_the_old_one_goes(
    device: Device, version: str, gpu: CudaDevice, reason: str
) -> None:
    old = device.look(FakeTensorRt())[DEFECTS]
    seen: list[str] = []
    new = FakeTensorRt(__version__=version, plan=b"new", meanwhile=lambda: seen.append(device.status().reason))
    status = device.look(new, device=gpu)[DEFECTS]
    assert (status.state, status.key == old.key) == ("ready", False)
    (said,) = seen
    assert re.match(reason, said)
    assert device.plans() == [device.plan(status)]
    assert device.plan(status).read_bytes() == b"new"


def test_a_changed_model_is_made_again(device: Device) -> None:
    old = device.look(FakeTensorRt())[DEFECTS]
    shutil.rmtree(device.state / "repository" / DEFECTS)
    add_build(device.state, DEFECTS, factor=3.0)
    status = device.look(FakeTensorRt())[DEFECTS]
    assert status.key != old.key
    assert f"{DEFECTS}: building for" in device.said[-3]
    assert device.said[-3].endswith("the build's model changed")
    assert device.plans() == [device.plan(status)]


def test_another_largest_batch_is_another_plan(device: Device) -> None:
    old = device.look(FakeTensorRt())[DEFECTS]
    shutil.rmtree(device.state / "repository" / DEFECTS)
    add_build(device.state, DEFECTS, max_batch_size=8)
    status = device.look(FakeTensorRt())[DEFECTS]
    assert status.facts is not None
    assert "(8, 8, 8, 3)" in status.facts.told
    assert status.key != old.key


@pytest.mark.parametrize("damage", ["changed", "removed"])
@pytest.mark.parametrize("restarted", [True, False])
def test_a_damaged_plan_is_made_again(device: Device, damage: str, *, restarted: bool) -> None:
    builder = device.builder(host(FakeTensorRt()))
    (status,) = builder.look()
    plan = device.plan(status)
    plan.unlink() if damage == "removed" else plan.write_bytes(b"plax")
    (device.builder(host(FakeTensorRt())) if restarted else builder).look()
    assert plan.read_bytes() == b"plan"
    assert "the plan that is there is damaged or missing" in device.said[-2]


def test_a_damaged_status_is_no_status(device: Device) -> None:
    device.look(FakeTensorRt())
    (device.store.root / status_path(DEFECTS)).write_text("{")
    assert device.look(FakeTensorRt())[DEFECTS].state == "ready"
    assert json.loads((device.store.root / status_path(DEFECTS)).read_text())["state"] == "ready"


def test_builds_with_the_same_model_share_a_plan(device: Device) -> None:
    newer = f"defects-1.0.1_{CLASS}"
    add_build(device.state, newer)
    api = FakeTensorRt()
    statuses = device.look(api)
    assert api.calls.count(BUILT) == 1
    assert statuses[newer].plan_sha256 == statuses[DEFECTS].plan_sha256
    shutil.rmtree(device.state / "repository" / DEFECTS)
    assert device.plan(device.look(FakeTensorRt())[newer]).exists()
    assert device.store.status(DEFECTS) is None


def test_a_build_that_is_gone_takes_its_plan_with_it(device: Device) -> None:
    device.look(FakeTensorRt())
    shutil.rmtree(device.state / "repository" / DEFECTS)
    assert device.look(FakeTensorRt()) == {}
    assert device.plans() == []
    assert list((device.store.root / "status").iterdir()) == []


def out_of_memory() -> None:
    raise MemoryError("std::bad_alloc")


@pytest.mark.parametrize(
    ("api", "reason"),
    [
        (FakeTensorRt(errors=(FakeParserError("no such layer", 1),)), "tensorrt refuses .*no such layer"),
        (FakeTensorRt(builds=False), "TensorRT could not build a plan: the builder gave nothing"),
        (FakeTensorRt(meanwhile=out_of_memory), "MemoryError: std::bad_alloc; .*is GPU memory free"),
        (FakeTensorRt(__version__="8.6.1"), "tensorrt refuses the model: TensorRT 8.6.1 has no strong typing"),
    ],
    ids=["refused", "no-engine", "no-memory", "too-old"],
)
def test_a_build_that_fails_says_why_and_stops_no_other(device: Device, api: FakeTensorRt, reason: str) -> None:
    builder = device.builder(host(api))
    (failed,) = builder.look()
    assert failed.state == "failed"
    assert re.match(reason, failed.reason)
    assert device.status() == failed
    assert device.plans() == []
    attempts = api.calls.count(BEGUN)
    add_build(device.state, PARTS, factor=2.0)
    builder.look()
    assert api.calls.count(BEGUN) == 2 * attempts  # the other one's, and no second one of the first
    assert device.status(PARTS).state == "failed"
    assert device.look(FakeTensorRt())[DEFECTS].state == "ready"  # a new start tries again


def test_one_failure_among_others(device: Device) -> None:
    folder = add_build(device.state, PARTS, factor=2.0)
    (folder / "1" / "model.onnx").write_bytes(b"no ONNX")
    statuses = device.look(FakeTensorRt())
    assert statuses[DEFECTS].state == "ready"
    assert statuses[PARTS].state == "failed"
    assert statuses[PARTS].facts is None
    assert "1/model.onnx differs from the build's manifest; install the build again" in statuses[PARTS].reason
    (folder / "manifest.json").unlink()
    assert "is not an ONNX model" in device.look(FakeTensorRt())[PARTS].reason


def test_a_mended_build_is_tried_again_at_once(device: Device) -> None:
    model = device.state / "repository" / DEFECTS / "1" / "model.onnx"
    good = model.read_bytes()
    model.write_bytes(b"no ONNX")
    builder = device.builder(host())
    assert [status.state for status in builder.look()] == ["failed"]
    model.write_bytes(good)
    assert [status.state for status in builder.look()] == ["ready"]


class Killed(BaseException):
    """Stands for the end of the process: nothing of ours runs after it."""


def kill() -> None:
    raise Killed


def test_what_ends_its_maker_again_and_again_fails_in_the_end_and_the_others_get_their_turn(device: Device) -> None:
    add_build(device.state, PARTS, factor=2.0)
    for attempt in range(1, 4):
        with pytest.raises(Killed):
            device.look(FakeTensorRt(meanwhile=kill if attempt != 2 else lambda: kill_for(device, DEFECTS)))
        assert (device.status().state, device.status().attempts) == ("building", attempt)
    assert device.status(PARTS).state == "ready"  # made by the second, before what had ended the first
    api = FakeTensorRt()
    status = device.look(api)[DEFECTS]
    assert status.state == "failed"
    assert "was ended 3 times in the middle of it: look for 'out of memory'" in status.reason
    assert BUILT not in api.calls
    assert device.look(FakeTensorRt())[DEFECTS].state == "ready"


def kill_for(device: Device, build: str) -> None:
    if device.status(build).attempts == 2:
        raise Killed


def test_a_full_disk_fails_with_advice_and_is_tried_again_later(device: Device) -> None:
    api = FakeTensorRt(plan=b"x" * 100_000)
    builder = device.builder(host(api))
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, before[1]))
    try:
        (status,) = builder.look()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert status.state == "failed"
    assert "File too large" in status.reason
    assert "make room" in status.reason
    assert device.plans() == []
    assert list(device.store.root.rglob(".*")) == []
    device.now += DISK_RETRY_SECONDS - 1.0
    assert builder.look() == (status,)
    device.now += 1.0
    assert [status.state for status in builder.look()] == ["ready"]


def test_a_folder_that_takes_nothing_stops_nothing(device: Device) -> None:
    shutil.rmtree(device.store.root / "status")
    (device.store.root / "status").write_text("a file is in the way")
    (status,) = device.builder(host()).look()
    assert status.state == "failed"
    assert "let this user write to" in status.reason
    assert "its status cannot be written" in device.said[-1]


def test_two_builders_do_not_work_in_one_folder(device: Device) -> None:
    with (
        pytest.raises(EnginesInUse, match="another outpost-compile engines works in"),
        EngineStore(device.state).opened(),
    ):
        pass


def test_nobody_can_say_ready_without_a_plan() -> None:
    with pytest.raises(ValueError, match="plan_sha256 and plan_size_bytes are needed"):
        EngineStatus(build=DEFECTS, state="ready", started_at=1.0, finished_at=2.0)
