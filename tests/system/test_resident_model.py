"""A model that keeps its tensors on the GPU, behind the gateway: the whole path without a copy through the machine.

Each test runs on the CPU everywhere, and once more on the GPU where there is one (``pytest -m gpu``).
"""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from contracts.model_card import ModelCard
from tests.system.gateway_process import GatewayProcess, wait_for
from tests.system.resident_leg import LEGS, SHAPES, Leg, expected_output, expected_rows, found_rows, halves
from tests.system.resident_scene import SLOTS, ResidentScene

pytestmark = pytest.mark.long
FRAMES = {
    "of-the-input's-size": halves(140, 220),
    "dark": halves(20, 10),
    "odd-sizes": halves(200, 130, (1919, 1081)),
    "jpeg": halves(128, 200, (640, 480), ".jpg"),
}


@pytest.fixture(scope="module", params=LEGS)
def leg(request: pytest.FixtureRequest) -> Leg:
    found: Leg = request.param
    return found


@pytest.fixture(scope="module")
def seed(leg: Leg, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("seed")


@pytest.fixture(scope="module")
def cards(leg: Leg, seed: Path) -> dict[str, ModelCard]:
    return leg.write_builds(seed)


@pytest.fixture(scope="module")
def resident(
    leg: Leg, seed: Path, cards: dict[str, ModelCard], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[GatewayProcess]:
    process = GatewayProcess(tmp_path_factory.mktemp("resident") / "state", seed, preprocess=leg.preprocess)
    process.start()
    try:
        process.wait_until_serving(*cards, timeout_seconds=leg.start_seconds)
        yield process
    finally:
        process.close()


@pytest.fixture
async def scene(leg: Leg, resident: GatewayProcess) -> AsyncIterator[ResidentScene]:
    made = ResidentScene(leg, resident.triton_address)
    await made.refresh(1)
    yield made
    await made.close()


@pytest.mark.parametrize("model", SHAPES)
async def test_every_bit_of_an_output_is_the_one_that_numpy_computes(
    leg: Leg, scene: ResidentScene, model: str
) -> None:
    chance = np.random.default_rng(0)
    (region,) = await scene.regions_at_triton()
    assert scene.written_into_the_slot(model) == (leg.on_gpu and model == "resident-raw")
    for _ in range(10):
        inputs = [chance.integers(0, 256, (48, 64, 3), dtype=np.uint8) for _ in range(SLOTS)]
        outputs = await asyncio.gather(*(scene.output_of(model, pixels) for pixels in inputs))
        for pixels, output in zip(inputs, outputs, strict=True):
            np.testing.assert_array_equal(output, expected_output(model, pixels))
    assert await scene.regions_at_triton() == [region]
    assert (scene.used, scene.regions.reasons) == ([leg.transport], {})


@pytest.mark.parametrize("frame", FRAMES)
@pytest.mark.parametrize("model", SHAPES)
def test_what_is_found_is_what_the_cpu_s_path_finds(
    resident: GatewayProcess, cards: dict[str, ModelCard], model: str, frame: str
) -> None:
    expected = expected_rows(cards[model], FRAMES[frame])
    assert (len(expected) > 20) != (frame == "dark")
    assert_alike(found_rows(resident, model, FRAMES[frame]), expected)


def assert_alike(found: NDArray[np.float64], expected: NDArray[np.float64]) -> None:
    """Two grey levels apart at most: two decoders of JPEGs round differently."""
    assert found.shape == expected.shape
    np.testing.assert_array_equal(found[:, 0], expected[:, 0])
    np.testing.assert_allclose(found[:, 1], expected[:, 1], atol=2 / 255)
    np.testing.assert_allclose(found[:, 2:], expected[:, 2:], atol=max(0.02, 0.001 * expected[:, 2:].max(initial=0.0)))


def test_the_path_is_the_one_without_copies(leg: Leg, resident: GatewayProcess) -> None:
    found_rows(resident, "resident-raw", FRAMES["of-the-input's-size"])
    (worker,) = resident.status()["workers"]
    assert (worker["preprocessing"], worker["transport"]) == (leg.preprocess, leg.transport)
    assert worker["transport_reasons"] == {}
    assert leg.saw_its_tensors(resident.state_dir / "logs" / "triton.log")


async def test_a_killed_triton_is_told_of_the_region_again(
    leg: Leg, resident: GatewayProcess, cards: dict[str, ModelCard]
) -> None:
    before, starts = resident.triton().pid, resident.metric("outpost_triton_starts")
    os.kill(before, signal.SIGKILL)
    wait_for(lambda: resident.metric("outpost_triton_starts") > starts and resident.is_ready(), 60.0, resident.log)
    assert resident.triton().pid != before
    for model, card in cards.items():
        picture = FRAMES["of-the-input's-size"]
        assert_alike(found_rows(resident, model, picture), expected_rows(card, picture))
    (worker,) = resident.status()["workers"]
    assert (worker["transport"], worker["transport_reasons"]) == (leg.transport, {})
