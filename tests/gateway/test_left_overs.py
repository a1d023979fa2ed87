"""What Triton has that nobody wants, and in which order builds are loaded, against a stand-in for Triton."""

import logging
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tritonclient.grpc import service_pb2

from tests.fakes.device_with_builds import BARE, A, B, Device, device_with_builds, look, nothing


@pytest.fixture
async def device(tmp_path: Path) -> AsyncIterator[Device]:
    async with device_with_builds(tmp_path) as made:
        yield made


async def test_what_nobody_wants_any_more_is_unloaded_but_not_what_others_loaded(device: Device) -> None:
    device.put(BARE)
    device.triton.serves[BARE] = service_pb2.RepositoryModelLoadRequest(model_name=BARE)
    del device.triton.serves[A]
    await look(device.gateway())  # active.json may be malformed, and come back
    assert device.triton.unloads == []
    await look(device.gateway(), A)
    assert device.triton.unloads == [B]
    assert device.loaded() == [A]
    assert set(device.triton.serves) == {A, BARE}


async def test_what_is_left_over_makes_room_first_and_is_unloaded_once(device: Device) -> None:
    device.put(BARE)
    keeper = device.gateway()
    gone_at_load = []

    async def note() -> None:
        gone_at_load.append(tuple(device.triton.unloads))

    while await keeper.reconcile((BARE,), on_change=note):
        pass
    assert gone_at_load == [(A, B)]
    assert (device.loaded(), list(device.triton.serves)) == ([BARE], [BARE])


async def test_one_that_is_gone_meanwhile_does_not_keep_the_other_left_overs(device: Device) -> None:
    device.put(BARE)
    device.triton.secret.add(A)
    await look(device.gateway(), BARE)
    assert device.triton.unloads == [B]


async def test_left_overs_that_triton_keeps_are_tried_again_and_not_said_to_be_unloaded(
    device: Device, caplog: pytest.LogCaptureFixture
) -> None:
    device.triton.keeps = "it is busy"
    keeper = device.gateway()
    with caplog.at_level(logging.INFO, "gateway.supervision.model_keeper"):
        await look(keeper, A)
        await look(keeper, A)
    assert device.triton.unloads == [B]  # not again at once
    said = [record.getMessage() for record in caplog.records]
    assert "build was not unloaded" in said
    assert "build unloaded" not in said
    device.triton.keeps = ""
    for _ in range(2):
        device.now += 31.0
        await look(keeper, A)
    assert device.triton.unloads == [B, B]


async def test_a_build_that_is_refused_is_unloaded_for_it_will_not_serve(device: Device) -> None:
    device.refusal = "another machine"
    await look(device.gateway(), A)
    assert device.triton.unloads == [A, B]


async def test_one_load_is_one_step_and_what_failed_comes_last(device: Device) -> None:
    device.triton.serves.clear()
    device.put(BARE, manifest=False)
    (device.repository / BARE / "config.pbtxt").write_text("name: [")
    keeper = device.gateway()
    more = [await keeper.reconcile((BARE, A, B), on_change=nothing) for _ in range(2)]
    assert (more, device.loaded()) == ([True, True], [A])
    device.now += 31.0  # the failed one is due again
    more = [await keeper.reconcile((BARE, A, B), on_change=nothing) for _ in range(2)]
    assert (more, device.loaded()) == ([True, False], [B])
