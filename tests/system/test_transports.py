"""How tensors reach the real Triton of the wheel. Memory of a GPU that is made up, it refuses in its own words."""

import os
import signal
import uuid
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import numpy as np
import pytest

from gateway.catalogue import Catalogue, LoadedBuild
from gateway.cuda.device_frame_memory import DeviceFrameMemory
from gateway.device_output import on_host
from gateway.frame_memory import SHARED_MEMORY_DIR, FrameMemory, HostFrameMemory
from gateway.frames.regions import FrameRegions
from gateway.supervision.model_keeper import read_card
from gateway.transport import Transport
from gateway.triton.connection import TritonConnection
from gateway.triton.control import TritonControl
from gateway.triton.frame_client import FrameClient
from gateway.triton.region_register import RegionRegister
from tests.fakes.fake_sharing_device import FakeOutputReader, FakeSharingDevice
from tests.system.gateway_process import GatewayProcess, wait_for

BUILD = "tiny-1.0.0_x86-cpu"


class Scene:
    """Regions of a worker of its own, at the Triton of a gateway."""

    def __init__(self, owner: GatewayProcess) -> None:
        self.owner = owner
        self.prefix = f"outpost_test_{uuid.uuid4().hex}_"
        self.connection = TritonConnection(owner.triton_address)
        self.client = FrameClient(self.connection)
        self.device = FakeSharingDevice()
        self.used: list[Transport] = []
        self.regions = FrameRegions(
            self.client,
            self.prefix,
            2,
            use_shared_memory=True,
            on_transport=self.used.append,
            make_device_memory=self.make_memory,
        )

    def make_memory(self, name: str, slots: int, slot_bytes: int, output_bytes: int) -> FrameMemory:
        return DeviceFrameMemory(self.device, FakeOutputReader(), name, slots, slot_bytes, output_bytes)

    async def catalogue(self, generation: int, *, larger: bool = False) -> Catalogue:
        card, _ = read_card(await TritonControl(self.connection).config(BUILD))
        assert card is not None
        build = LoadedBuild(name=BUILD, ready=True, card=card)
        builds = {BUILD: build}
        if larger:
            wide = card.model_copy(update={"input": card.input.model_copy(update={"width": 640})})
            builds["wide"] = LoadedBuild(name="wide", ready=True, card=wide)
        return Catalogue(generation=generation, triton_up=True, builds=builds)

    async def score_of(self, brightness: int) -> float:
        """What the real Triton finds in a slot of this brightness."""
        memory = self.regions.current
        assert isinstance(memory, HostFrameMemory)
        card = (await self.catalogue(1)).builds[BUILD].card
        assert card is not None
        slot = memory.acquire()
        try:
            memory.array(slot, card.input.shape, np.uint8)[:] = brightness
            output = await self.client.infer(BUILD, card, memory, slot, 30.0)
            return float(on_host(output)[0, 4])
        finally:
            memory.release(slot)

    async def regions_at_triton(self) -> list[str]:
        names = await RegionRegister(self.connection).names()
        return [name for name in names if name.startswith(self.prefix)]

    def files(self) -> int:
        return len(list(SHARED_MEMORY_DIR.glob(f"{self.prefix}*")))


@pytest.fixture
async def scene(gateway: GatewayProcess) -> AsyncIterator[Scene]:
    made = Scene(gateway)
    yield made
    await made.regions.close()
    assert await made.regions_at_triton() == []
    assert made.files() == 0
    await made.connection.close()


async def test_memory_of_a_gpu_is_refused_and_frames_are_answered_all_the_same(scene: Scene) -> None:
    await scene.regions.refresh(await scene.catalogue(1))
    refused = "Triton cannot open it: failed to register shared memory region: invalid args"
    assert scene.regions.reasons == {Transport.CUDA: refused}
    assert scene.used == [Transport.SYSTEM]
    assert scene.device.events == ["allocated", "freed"]
    dark, bright = await scene.score_of(50), await scene.score_of(200)
    assert bright == pytest.approx(4 * dark)
    assert dark > 0.1


async def test_one_region_at_a_time_is_known_to_triton(scene: Scene) -> None:
    await scene.regions.refresh(await scene.catalogue(1))
    (first,) = await scene.regions_at_triton()
    held = scene.regions.current.acquire()
    old = scene.regions.current
    await scene.regions.refresh(await scene.catalogue(1, larger=True))
    assert len(await scene.regions_at_triton()) == 2
    assert await scene.score_of(200) > 0.5
    old.release(held)
    for _ in range(100):
        if first not in await scene.regions_at_triton():
            break
    assert await scene.regions_at_triton() == [scene.regions.current.name]
    assert scene.files() == 1


@pytest.fixture(scope="module")
def fragile(tmp_path_factory: pytest.TempPathFactory, seed_dir: Path) -> Iterator[GatewayProcess]:
    process = GatewayProcess(tmp_path_factory.mktemp("fragile") / "state", seed_dir, seed_models="tiny")
    process.start()
    try:
        process.wait_until_ready()
        yield process
    finally:
        process.close()


async def test_a_restarted_triton_is_told_of_the_region_again(fragile: GatewayProcess) -> None:
    scene = Scene(fragile)
    await scene.regions.refresh(await scene.catalogue(1))
    (before,) = await scene.regions_at_triton()
    starts = fragile.metric("outpost_triton_starts")
    os.kill(fragile.triton().pid, signal.SIGKILL)
    wait_for(lambda: fragile.metric("outpost_triton_starts") > starts and fragile.is_ready(), 60.0, fragile.log)
    assert await scene.regions_at_triton() == []
    await scene.regions.refresh(await scene.catalogue(2))
    assert await scene.score_of(200) > 0.5
    (after,) = await scene.regions_at_triton()
    assert after != before
    assert scene.used == [Transport.SYSTEM, Transport.SYSTEM]
    assert scene.device.events == ["allocated", "freed"] * 2
    await scene.regions.close()
    assert scene.files() == 0
    await scene.connection.close()
