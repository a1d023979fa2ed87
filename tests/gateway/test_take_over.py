"""What a gateway that is started again does with the builds that Triton still has, against a stand-in for Triton."""

import json
import secrets
import shutil
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from tritonclient.grpc import service_pb2

from contracts.build_manifest import BuildManifest
from contracts.model_card import CARD_PARAMETER, InputSpec, ModelCard, OutputSpec
from gateway.supervision.build_loader import LocalBuildLoader, RemoteBuildLoader
from gateway.supervision.engine_folder import EngineFolder
from gateway.supervision.model_keeper import ModelKeeper
from gateway.supervision.plan_copies import OWNER_PARAMETER
from gateway.triton.load_seal import is_sealed, mark_of
from gateway.triton.model_config import MachineLimits
from tests.fakes.device_with_builds import (
    BARE,
    CONFIG,
    ON_PLAN,
    PLAN_CONFIG,
    A,
    B,
    Device,
    device_with_builds,
    look,
    nothing,
)


@pytest.fixture
async def device(tmp_path: Path) -> AsyncIterator[Device]:
    async with device_with_builds(tmp_path) as made:
        yield made


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


def add_a_version(device: Device) -> None:
    """Triton serves the highest one."""
    folder = device.put(BARE, manifest=False) / "2"
    folder.mkdir()
    (folder / "model.onnx").write_bytes(b"weights")


def add_weights_beside_the_model(device: Device) -> None:
    (device.put(BARE, manifest=False) / "1" / "model.onnx.data").write_bytes(b"weights")


def replace_files_behind_a_link(device: Device) -> None:
    (device.repository / "elsewhere" / "model.onnx").write_bytes(b"weighty")


@pytest.mark.parametrize("change", [add_a_version, add_weights_beside_the_model, replace_files_behind_a_link])
async def test_every_file_of_a_build_without_a_manifest_counts(
    device: Device, change: Callable[[Device], None]
) -> None:
    version = device.put(BARE, manifest=False) / "1"
    if change is replace_files_behind_a_link:
        version.rename(device.repository / "elsewhere")
        version.symlink_to("../elsewhere")
    await look(device.gateway(), BARE)
    await look(device.gateway(), BARE)
    assert device.loaded() == [BARE]
    change(device)
    await look(device.gateway(), BARE)
    assert device.loaded() == [BARE]


def list_fewer_files(folder: Path) -> None:
    manifest = BuildManifest.model_validate_json((folder / "manifest.json").read_bytes())
    fewer = {"config.pbtxt": manifest.files["config.pbtxt"]}
    (folder / "manifest.json").write_text(BuildManifest(build=folder.name, files=fewer).model_dump_json())


async def test_a_file_that_the_manifest_does_not_list_is_neither_loaded_nor_taken_over(device: Device) -> None:
    list_fewer_files(device.repository / A)
    keeper = device.gateway()
    await look(keeper, A, B)
    assert keeper.builds[A].reason.startswith("it does not load: 1/model.onnx is not in the manifest")
    assert (keeper.builds[A].ready, keeper.builds[B].ready, device.loaded()) == (False, True, [])


@pytest.mark.parametrize(
    ("build", "config", "said"),
    [
        (A, b"\xff\xfe", "it does not load: config.pbtxt: is not UTF-8 text from byte 0 on"),
        (
            ON_PLAN,
            b'platform: "tensorrt_plan" default_model_filename: "a\\000"',
            "it does not load: embedded null byte",
        ),
    ],
    ids=["no-text", "no-name-of-a-file"],
)
async def test_a_build_with_a_damaged_config_holds_up_no_other(
    device: Device, build: str, config: bytes, said: str
) -> None:
    device.put(ON_PLAN, config=PLAN_CONFIG, manifest=False)
    device.put_plan(b"plan")
    await look(device.gateway(), A, B, ON_PLAN)
    device.loaded()
    (device.put(build, manifest=False) / "config.pbtxt").write_bytes(config)
    for loaded in ([], [B]):  # B is taken over, and loaded
        keeper = device.gateway()
        await look(keeper, build, B)
        assert (keeper.builds[build].ready, keeper.builds[build].reason) == (False, said)
        assert (keeper.builds[B].ready, device.loaded()) == (True, loaded)
        device.triton.serves.clear()


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


async def test_a_build_that_is_unloaded_while_it_is_taken_over_is_loaded(device: Device) -> None:
    device.triton.secret.add(A)
    keeper = device.gateway()
    more = await keeper.reconcile((A, B), on_change=nothing)
    assert (more, keeper.builds[A].ready, keeper.builds[B].ready, device.loaded()) == (True, False, True, [])
    device.triton.secret.clear()
    await look(keeper, A, B)
    assert (device.loaded(), keeper.builds[A].ready) == ([A], True)


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


async def test_instances_that_are_replaced_in_a_triton_elsewhere_lose_the_seal(device: Device) -> None:
    """Its files may be others than the gateway's that sealed the load."""
    keeper = ModelKeeper(device.control, RemoteBuildLoader(device.control), lambda _: "")
    keeper.forget()
    await look(keeper, A)
    assert await keeper.replace_instances(A, "its process died")
    assert device.loaded() == [A]
    assert not is_sealed(await device.control.config(A))
    assert mark_of(await device.control.config(A)) != ""
