"""How a TensorRT build is loaded, or why not: the states of its plan, against a stand-in for Triton's repository."""

import fcntl
import hashlib
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from contracts.active_models import ActiveModel
from contracts.engine_cache import LOCK_FILE, EngineFacts, EngineStatus, plan_path, status_path
from gateway.catalogue import Catalogue
from gateway.errors import ModelNotReady
from gateway.supervision.build_loader import LocalBuildLoader
from gateway.supervision.engine_folder import EngineFolder
from gateway.supervision.model_keeper import ModelKeeper
from gateway.triton.connection import TritonConnection
from gateway.triton.control import TritonControl
from gateway.triton.model_config import MachineLimits
from tests.fakes.triton_repository import TritonRepository, running_repository

BUILD, ON_CPU = "defects-1.1.0_jetson-orin-nx", "defects-1.0.0_arm-cpu"
MODEL, PLAN = b"the ONNX file", b"the plan"
CONFIG = 'name: "{name}" platform: "tensorrt_plan" backend: "tensorrt" default_model_filename: "model.onnx"'
FACTS = EngineFacts(
    onnx_sha256=hashlib.sha256(MODEL).hexdigest(),
    gpu="Orin",
    compute_capability="8.7",
    tensorrt_version="10.3.0",
    cuda_version="12.6",
    told="",
)


class Device:
    """A state folder, and what keeps its builds loaded, at a time of its own."""

    def __init__(self, state: Path, address: str, triton: TritonRepository) -> None:
        self.triton, self.engines, self.now = triton, state / "engines", 0.0
        self.repository = state / "repository"
        self.connection = TritonConnection(address)
        control = TritonControl(self.connection)
        engines = EngineFolder(self.engines)
        loader = LocalBuildLoader(control, self.repository, MachineLimits(2, 1), engines, starts_triton=True)
        self.keeper = ModelKeeper(control, loader, lambda _: "", lambda: self.now)
        (self.engines / "status").mkdir(parents=True)
        self.add(BUILD, CONFIG)
        self.add(ON_CPU, 'name: "{name}" backend: "onnxruntime"')

    def add(self, name: str, config: str) -> None:
        (self.repository / name / "1").mkdir(parents=True)
        (self.repository / name / "config.pbtxt").write_text(config.replace("{name}", name))
        (self.repository / name / "1" / "model.onnx").write_bytes(MODEL)

    def say(self, status: EngineStatus) -> None:
        (self.engines / status_path(BUILD)).write_text(status.model_dump_json())

    def put(self, plan: bytes, facts: EngineFacts = FACTS) -> Path:
        path = self.engines / plan_path(facts.key)
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(plan)
        return path

    async def look(self, *builds: str) -> None:
        async def nothing() -> None: ...

        while await self.keeper.reconcile(builds or (BUILD,), on_change=nothing):
            pass

    async def reason(self) -> str:
        await self.look()
        build = self.keeper.builds[BUILD]
        assert not build.ready
        return build.reason


@pytest.fixture
async def device(tmp_path: Path) -> AsyncIterator[Device]:
    triton = TritonRepository()
    async with running_repository(triton) as address:
        made = Device(tmp_path, address, triton)
        yield made
        await made.connection.close()


def ready(plan: bytes = PLAN, facts: EngineFacts = FACTS) -> EngineStatus:
    return EngineStatus(
        build=BUILD,
        state="ready",
        facts=facts,
        started_at=1.0,
        finished_at=2.0,
        plan_sha256=hashlib.sha256(plan).hexdigest(),
        plan_size_bytes=len(plan),
    )


BUILDING = EngineStatus(build=BUILD, state="building", facts=FACTS, reason="no plan yet", started_at=1_700_000_000.0)
FAILED = EngineStatus(build=BUILD, state="failed", reason="out of memory", started_at=1.0, finished_at=2.0)


async def test_a_plan_goes_with_the_load_and_the_config_names_it(device: Device) -> None:
    device.say(ready())
    device.put(PLAN)
    await device.look()
    assert device.keeper.builds[BUILD].state == "ready"
    (load,) = device.triton.loads
    assert load.parameters["file:1/model.plan"].bytes_param == PLAN
    config = json.loads(load.parameters["config"].string_param)
    assert (config["default_model_filename"], config["backend"]) == ("model.plan", "tensorrt")
    assert "instance_group" not in config  # a build on the GPU keeps its own


async def test_a_build_for_the_cpu_is_loaded_without_files(device: Device) -> None:
    await device.look(ON_CPU)
    (load,) = device.triton.loads
    assert list(load.parameters) == ["config"]


async def test_a_plan_of_150_mb_fits_the_call(device: Device) -> None:
    plan = bytes(150_000_000)
    device.say(ready(plan))
    device.put(plan)
    await device.look()
    assert device.keeper.builds[BUILD].ready
    assert len(device.triton.loads[0].parameters["file:1/model.plan"].bytes_param) == len(plan)


async def test_without_a_plan_it_says_who_makes_it(device: Device) -> None:
    assert "no TensorRT plan for this machine yet: start outpost-compile engines" in await device.reason()
    assert device.triton.loads == []
    assert device.keeper.builds[BUILD].state == "not ready"


async def test_while_it_is_built_that_is_its_state(device: Device) -> None:
    device.say(BUILDING)
    with (device.engines / LOCK_FILE).open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        reason = await device.reason()
        assert reason == (
            "building: its TensorRT plan is being made for Orin (compute capability 8.7), TensorRT 10.3.0, CUDA 12.6"
            " since 2023-11-14T22:13:20Z: no plan yet"
        )
        build = device.keeper.builds[BUILD]
        assert (build.state, build.building_since) == ("building", 1_700_000_000.0)
        device.say(FAILED)
        assert await device.reason() == "its TensorRT plan could not be made: out of memory"
        assert device.keeper.builds[BUILD].building_since is None


async def test_a_builder_that_ended_is_noticed(device: Device) -> None:
    device.say(BUILDING)
    (device.engines / LOCK_FILE).touch()
    assert "begun at 2023-11-14T22:13:20Z and not finished, nobody works on it" in await device.reason()
    with (device.engines / LOCK_FILE).open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        device.now += 31.0
        assert "is being made" in await device.reason()
    device.now += 31.0
    assert "nobody works on it" in await device.reason()


async def test_it_is_loaded_as_soon_as_the_plan_is_there(device: Device) -> None:
    device.say(FAILED)
    await device.reason()
    device.put(PLAN)
    device.say(ready())
    await device.look()  # no time passed
    assert device.keeper.builds[BUILD].state == "ready"


async def test_a_plan_of_another_model_is_not_loaded(device: Device) -> None:
    other = FACTS.model_copy(update={"onnx_sha256": "0" * 64})
    device.say(ready(facts=other))
    device.put(PLAN, other)
    assert "its TensorRT plan was made from another model" in await device.reason()
    assert device.triton.loads == []


@pytest.mark.parametrize("lost", [True, False])
async def test_a_damaged_plan_is_not_loaded_until_it_is_mended(device: Device, *, lost: bool) -> None:
    device.say(ready())
    path = device.put(b"another")
    if lost:
        path.unlink()
    assert str(path) in await device.reason()
    assert device.triton.loads == []
    device.put(PLAN)
    await device.look()
    assert device.keeper.builds[BUILD].ready


async def test_a_damaged_status_is_none(device: Device) -> None:
    (device.engines / status_path(BUILD)).write_text("{")
    assert "it has no TensorRT plan for this machine yet" in await device.reason()


async def test_a_plan_for_another_gpu_is_said_and_the_others_serve(device: Device) -> None:
    device.say(ready())
    device.put(PLAN)
    device.triton.refusal = "incompatible device, expecting compute 8.9 got compute 8.7"
    reason = await device.reason()
    assert reason.startswith("Triton does not take its TensorRT plan, which is for Orin (compute capability 8.7)")
    assert "expecting compute 8.9 got compute 8.7" in reason
    assert "outpost-compile engines makes it again" in reason
    device.triton.refusal = ""
    await device.look(BUILD, ON_CPU)
    assert device.keeper.builds[ON_CPU].ready


async def test_the_alias_says_what_it_waits_for(device: Device) -> None:
    await device.look(BUILD, ON_CPU)
    builds = device.keeper.builds
    active = ActiveModel(stable=BUILD, fallback=ON_CPU)
    known = Catalogue(triton_up=True, aliases={"defects": active}, builds=builds)
    with pytest.raises(ModelNotReady, match="it has no TensorRT plan for this machine yet"):
        known.resolve("defects", "")  # the build on the CPU has no card here
    assert known.has_ready_build("defects")


NEW_PLAN = b"the plan for another driver"


def plan_that_serves(device: Device) -> bytes:
    return bytes(device.triton.serves[BUILD].parameters["file:1/model.plan"].bytes_param)


async def device_that_serves(device: Device) -> Device:
    device.say(ready())
    device.put(PLAN)
    await device.look(BUILD, ON_CPU)
    assert plan_that_serves(device) == PLAN
    return device


async def test_a_plan_that_is_made_anew_takes_the_place_of_the_one_that_serves(device: Device) -> None:
    await device_that_serves(device)
    await device.look(BUILD, ON_CPU)
    assert len(device.triton.loads) == 2  # nothing changed
    device.put(NEW_PLAN)
    device.say(ready(NEW_PLAN))
    await device.look(BUILD, ON_CPU)
    await device.look(BUILD, ON_CPU)
    assert plan_that_serves(device) == NEW_PLAN
    assert [load.model_name for load in device.triton.loads] == [BUILD, ON_CPU, BUILD]
    assert (device.keeper.builds[BUILD].ready, device.keeper.builds[BUILD].reason) == (True, "")


async def test_the_old_plan_serves_on_while_the_new_one_is_made_and_where_it_does_not_load(device: Device) -> None:
    await device_that_serves(device)
    device.say(BUILDING)
    with (device.engines / LOCK_FILE).open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        await device.look()
        build = device.keeper.builds[BUILD]
        assert (build.ready, build.building_since) == (True, 1_700_000_000.0)
        assert "its TensorRT plan is being made" in build.reason
    device.put(NEW_PLAN)
    device.say(ready(NEW_PLAN))
    device.triton.refusal = "out of GPU memory"
    await device.look()
    build = device.keeper.builds[BUILD]
    assert (build.ready, build.building_since, plan_that_serves(device)) == (True, None, PLAN)
    assert "Triton does not take its TensorRT plan" in build.reason
    device.triton.refusal = ""
    await device.look()
    assert plan_that_serves(device) == PLAN  # not at once
    device.now += 31.0
    await device.look()
    assert (device.keeper.builds[BUILD].reason, plan_that_serves(device)) == ("", NEW_PLAN)


async def test_a_build_without_a_plan_is_not_loaded_again_for_files_that_change(device: Device) -> None:
    await device_that_serves(device)
    (device.repository / ON_CPU / "config.pbtxt").write_text(f'name: "{ON_CPU}" backend: "openvino"')
    device.now += 31.0
    await device.look(BUILD, ON_CPU)
    assert len(device.triton.loads) == 2
