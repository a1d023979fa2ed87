"""What a gateway that is started again does with the builds that Triton still has, against a stand-in for Triton."""

import hashlib
import json
import secrets
import shutil
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from tritonclient.grpc import service_pb2

from contracts.build_manifest import BuildManifest
from contracts.engine_cache import EngineFacts, EngineStatus, plan_path, status_path
from contracts.model_card import CARD_PARAMETER, InputSpec, ModelCard, OutputSpec
from gateway.supervision.build_loader import LocalBuildLoader, RemoteBuildLoader
from gateway.supervision.engine_folder import EngineFolder
from gateway.supervision.model_keeper import ModelKeeper
from gateway.supervision.plan_copies import OWNER_PARAMETER
from gateway.triton.connection import TritonConnection
from gateway.triton.control import TritonControl
from gateway.triton.model_config import MachineLimits
from tests.fakes.triton_repository import TritonRepository, running_repository

A, B, BARE, ON_PLAN = "a-1.0.0_x86-cpu", "b-1.0.0_x86-cpu", "bare-1.0.0_x86-cpu", "p-1.0.0_jetson-orin-nx"
CONFIG = 'name: "{name}" backend: "openvino"'
PLAN_CONFIG = 'name: "{name}" platform: "tensorrt_plan" backend: "tensorrt"'
FACTS = EngineFacts(
    onnx_sha256=hashlib.sha256(b"weights").hexdigest(),
    gpu="Orin",
    compute_capability="8.7",
    tensorrt_version="10.3.0",
    cuda_version="12.6",
    told="",
)


class Device:
    """A state folder and a Triton that outlive the gateways on them."""

    def __init__(self, state: Path, triton: TritonRepository, address: str) -> None:
        self.triton, self.repository, self.engines = triton, state / "repository", state / "engines"
        self.connection = TritonConnection(address)
        self.control = TritonControl(self.connection)
        self.limits, self.refusal, self.now = MachineLimits(2, 1), "", 0.0
        (self.engines / "status").mkdir(parents=True)

    def put(self, name: str, weights: bytes = b"weights", config: str = CONFIG, *, manifest: bool = True) -> Path:
        """A build, in the place of one that is there."""
        folder = self.repository / name
        shutil.rmtree(folder, ignore_errors=True)
        (folder / "1").mkdir(parents=True)
        (folder / "config.pbtxt").write_text(config.replace("{name}", name))
        (folder / "1" / "model.onnx").write_bytes(weights)
        if manifest:
            files = {each: hashlib.sha256((folder / each).read_bytes()) for each in ("config.pbtxt", "1/model.onnx")}
            digests = {each: digest.hexdigest() for each, digest in files.items()}
            (folder / "manifest.json").write_text(BuildManifest(build=name, files=digests).model_dump_json())
        return folder

    def put_plan(self, plan: bytes) -> None:
        path = self.engines / plan_path(FACTS.key)
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(plan)
        status = EngineStatus(
            build=ON_PLAN,
            state="ready",
            facts=FACTS,
            started_at=1.0,
            finished_at=2.0,
            plan_sha256=hashlib.sha256(plan).hexdigest(),
            plan_size_bytes=len(plan),
        )
        (self.engines / status_path(ON_PLAN)).write_text(status.model_dump_json())

    def gateway(self) -> ModelKeeper:
        """One that was just started, and knows of nothing."""
        engines = EngineFolder(self.engines)
        loader = LocalBuildLoader(self.control, self.repository, self.limits, engines, starts_triton=False)
        keeper = ModelKeeper(self.control, loader, lambda _: self.refusal, lambda: self.now)
        keeper.forget()
        return keeper

    def loaded(self) -> list[str]:
        """Names of what was loaded since this was last asked."""
        names = [load.model_name for load in self.triton.loads]
        self.triton.loads.clear()
        return names

    def edit(self, name: str, edit: Callable[[dict[str, Any]], object]) -> None:
        """Another client loads a model with the config that Triton gives, changed."""
        request = service_pb2.RepositoryModelLoadRequest()
        request.CopyFrom(self.triton.serves[name])
        config = json.loads(request.parameters["config"].string_param)
        edit(config)
        request.parameters["config"].string_param = json.dumps(config)
        self.triton.serves[name] = request


@pytest.fixture
async def device(tmp_path: Path) -> AsyncIterator[Device]:
    """With two builds that an earlier gateway has loaded."""
    triton = TritonRepository()
    async with running_repository(triton) as address:
        made = Device(tmp_path, triton, address)
        made.put(A)
        made.put(B)
        await look(made.gateway(), A, B)
        assert made.loaded() == [A, B]
        yield made
        await made.connection.close()


async def look(keeper: ModelKeeper, *wanted: str) -> list[tuple[str, ...]]:
    """Bring Triton to what is wanted; returns what was ready at each change."""
    ready = []

    async def note() -> None:
        ready.append(tuple(name for name, build in keeper.builds.items() if build.ready))

    await keeper.reconcile(wanted, on_change=note)
    return ready


async def test_what_triton_has_is_kept(device: Device) -> None:
    keeper = device.gateway()
    await look(keeper, A, B)
    assert (device.loaded(), device.triton.unloads) == ([], [])
    first = keeper.builds[A]
    assert (first.ready, first.reason, first.backend) == (True, "", "openvino")
    await look(keeper, A, B)
    await look(device.gateway(), A, B)
    assert device.loaded() == []


async def test_the_fixed_shape_of_a_raw_output_is_known_of_a_build_however_it_came(
    device: Device,
) -> None:
    card = ModelCard(
        model="bare",
        version="1.0.0",
        hardware_class="x86-cpu",
        labels=("a", "b"),
        input=InputSpec(width=64, height=48),
        output=OutputSpec(name="output0", decoder="yolov8"),
    )
    output = 'max_batch_size: 4 output { name: "output0" data_type: TYPE_FP32 dims: [6, 2100] }'
    text = json.dumps(card.model_dump_json())
    parameter = f'parameters {{ key: "{CARD_PARAMETER}" value {{ string_value: {text} }} }}'
    device.put(BARE, config=f"{CONFIG} {output} {parameter}")
    for expected in ([BARE], []):
        keeper = device.gateway()
        await look(keeper, BARE)
        assert device.loaded() == expected
        assert keeper.builds[BARE].raw_output_shape == (6, 2100)


async def test_a_build_without_a_manifest_is_kept_as_long_as_its_files_are_the_same(device: Device) -> None:
    folder = device.put(BARE, manifest=False)
    await look(device.gateway(), BARE)
    await look(device.gateway(), BARE)
    assert device.loaded() == [BARE]
    (folder / "1" / "model.onnx").write_bytes(b"weighty")
    await look(device.gateway(), BARE)
    assert device.loaded() == [BARE]


def replace_files(device: Device) -> None:
    device.put(A, b"other weights")


def replace_config(device: Device) -> None:
    device.put(A, config=CONFIG + " max_batch_size: 4")


def load_without_our_config(device: Device) -> None:
    device.triton.serves[A] = service_pb2.RepositoryModelLoadRequest(model_name=A)


def load_with_another_count(device: Device) -> None:
    device.edit(A, lambda config: config["instance_group"][0].update(count=7))


def load_with_another_group(device: Device) -> None:
    device.edit(A, lambda config: config["instance_group"].append({"kind": "KIND_CPU", "count": 1}))


def load_with_another_mark(device: Device) -> None:
    """As a gateway that shares no state folder replaces instances: of whatever files lie there then."""
    device.edit(A, lambda config: config["parameters"]["outpost_generation"].update(string_value="0123"))


def load_with_the_seal_of_another(device: Device) -> None:
    seal = json.loads(device.triton.serves[B].parameters["config"].string_param)["parameters"]["outpost_seal"]
    device.edit(A, lambda config: config["parameters"].update(outpost_seal=seal))


def unload(device: Device) -> None:
    del device.triton.serves[A]


@pytest.mark.parametrize(
    "change",
    [
        replace_files,
        replace_config,
        load_without_our_config,
        load_with_another_count,
        load_with_another_group,
        load_with_another_mark,
        load_with_the_seal_of_another,
        unload,
    ],
)
async def test_what_changed_meanwhile_is_loaded_and_the_rest_is_kept(
    device: Device, change: Callable[[Device], None]
) -> None:
    change(device)
    keeper = device.gateway()
    ready = await look(keeper, A, B)
    assert device.loaded() == [A]
    assert ready == [(B,), (A, B)]  # what is there does not wait for what is loaded
    await look(device.gateway(), A, B)
    assert device.loaded() == []


@pytest.mark.parametrize("limits", [MachineLimits(3, 1), MachineLimits(2, 2)], ids=["instances", "threads"])
async def test_other_settings_load_everything_again(device: Device, limits: MachineLimits) -> None:
    device.limits = limits
    await look(device.gateway(), A, B)
    assert device.loaded() == [A, B]


async def test_a_triton_that_was_restarted_has_nothing_to_keep(device: Device) -> None:
    device.triton.serves.clear()
    await look(device.gateway(), A, B)
    assert device.loaded() == [A, B]


async def test_a_build_that_is_damaged_or_refused_meanwhile_is_not_kept(device: Device) -> None:
    (device.repository / A / "1" / "model.onnx").write_bytes(b"weighty")
    keeper = device.gateway()
    await look(keeper, A, B)
    assert device.loaded() == []
    assert keeper.builds[A].reason.startswith("it does not load: 1/model.onnx differs from the manifest")
    assert keeper.builds[B].ready
    device.refusal = "another machine"
    keeper = device.gateway()
    await look(keeper, B)
    assert (keeper.builds[B].state, device.loaded()) == ("refused", [])


async def test_lost_instances_of_a_kept_build_are_replaced(device: Device) -> None:
    keeper = device.gateway()
    await look(keeper, A, B)
    keeper.note_loss(A, "its process died", still_serves=False)
    await look(keeper, A, B)  # Triton still calls it ready
    assert device.loaded() == [A]
    assert await keeper.replace_instances(A, "its process died")
    await keeper.reload_from_nothing(B)
    assert (device.loaded(), device.triton.unloads) == ([A, B], [B])


async def test_a_loss_that_could_not_be_mended_is_not_taken_for_a_build_to_keep(device: Device) -> None:
    keeper = device.gateway()
    await look(keeper, A, B)
    keeper.note_loss(A, "its process died", still_serves=False)
    device.triton.refusal = "no memory"
    assert not await keeper.replace_instances(A, "its process died")
    device.triton.refusal = ""
    device.now += 60.0
    device.loaded()
    await look(keeper, A, B)  # Triton calls it ready all the time
    assert device.loaded() == [A]


async def test_what_nobody_wants_any_more_is_unloaded_but_not_what_others_loaded(device: Device) -> None:
    device.put(BARE)
    load_without_our_config(device)
    device.triton.serves[BARE] = device.triton.serves.pop(A)
    await look(device.gateway())  # active.json may be malformed, and come back
    assert device.triton.unloads == []
    await look(device.gateway(), A)
    assert device.triton.unloads == [B]
    assert device.loaded() == [A]
    assert set(device.triton.serves) == {A, BARE}


async def test_a_plan_is_kept_until_another_one_is_there(device: Device) -> None:
    device.put(ON_PLAN, config=PLAN_CONFIG)
    device.put_plan(b"plan")
    await look(device.gateway(), ON_PLAN)
    keeper = device.gateway()
    await look(keeper, ON_PLAN)
    assert device.loaded() == [ON_PLAN]
    device.put_plan(b"another plan")
    await look(device.gateway(), ON_PLAN)
    await look(keeper, ON_PLAN)  # one that kept it sees the new one, too
    assert device.loaded() == [ON_PLAN, ON_PLAN]


def test_the_copies_of_plans_that_a_triton_of_others_uses_are_left(device: Device, tmp_path: Path) -> None:
    engines = EngineFolder(device.engines)
    copy = Path("/tmp") / f"folder{secrets.token_hex(3)}"  # where Triton puts them
    copy.mkdir()
    try:
        (copy / "config.pbtxt").write_text(f'parameters {{ key: "{OWNER_PARAMETER}" value: "{engines.owner}" }}')
        for ours in (False, True):
            LocalBuildLoader(device.control, tmp_path, device.limits, engines, starts_triton=ours).forget()
            assert copy.exists() != ours
    finally:
        shutil.rmtree(copy, ignore_errors=True)


async def test_a_triton_elsewhere_keeps_what_it_has_whoever_loaded_it(device: Device) -> None:
    load_without_our_config(device)
    keeper = ModelKeeper(device.control, RemoteBuildLoader(device.control), lambda _: "")
    keeper.forget()
    await look(keeper, A)
    assert (device.loaded(), device.triton.unloads) == ([], [])
    assert keeper.builds[A].ready
