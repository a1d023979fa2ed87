"""When memory is freed: never while Triton may have it open, with a Triton and a GPU that do what a test says."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from gateway.errors import DeadlineExceeded, GatewayError, TritonUnavailable
from tests.gateway.region_scene import CUDA, RAW, REQUEST, SYSTEM, Scene, catalogue


@pytest.fixture
async def scene() -> AsyncIterator[Scene]:
    made = Scene()
    yield made
    await made.regions.close()
    assert made.client.regions == {}
    assert made.files() == 0


async def test_a_triton_that_is_away_costs_no_memory(scene: Scene) -> None:
    scene.client.refusals[CUDA] = TritonUnavailable("restarting")
    with pytest.raises(TritonUnavailable):
        await scene.regions.refresh(catalogue())
    assert scene.regions.reasons == {}
    for _ in range(9):
        with pytest.raises(TritonUnavailable):
            await scene.regions.refresh(catalogue())
    assert scene.events.count("allocated") == scene.events.count("freed") + 1 == 10
    scene.client.refusals.clear()
    await scene.regions.refresh(catalogue())
    assert scene.regions.current.transport == CUDA


async def test_old_memory_of_a_gpu_is_freed_after_its_last_frame_and_after_triton_let_go(scene: Scene) -> None:
    await scene.regions.refresh(catalogue(side=32))
    old = scene.regions.current
    slot = old.acquire()
    await scene.regions.refresh(catalogue(side=64))
    await scene.settle()
    assert scene.regions.current.slot_bytes > old.slot_bytes
    assert scene.events == ["allocated", "allocated"]
    assert len(scene.client.regions) == 2
    old.release(slot)
    await scene.settle()
    assert scene.events == ["allocated", "allocated", "unregistered", "freed"]
    assert list(scene.client.regions) == [scene.regions.current.name]


async def test_a_region_that_triton_still_uses_is_asked_for_again_before_it_is_freed(scene: Scene) -> None:
    await scene.regions.refresh(catalogue(side=32))
    scene.client.in_use = 1
    await scene.regions.refresh(catalogue(side=64))
    await scene.let_go()
    assert scene.events == ["allocated", "allocated", "in use", "unregistered", "freed"]


@pytest.mark.parametrize("failure", [TritonUnavailable("Socket closed"), DeadlineExceeded("infer")])
async def test_memory_is_kept_while_triton_does_not_say_that_it_let_go(scene: Scene, failure: GatewayError) -> None:
    await scene.regions.refresh(catalogue(side=32))
    scene.client.failures = [failure]
    await scene.regions.refresh(catalogue(side=64))
    await scene.let_go()
    assert scene.events == ["allocated", "allocated", "no answer", "unregistered", "freed"]


async def test_memory_is_kept_however_often_triton_refuses(scene: Scene) -> None:
    await scene.regions.refresh(catalogue(side=32))
    scene.client.in_use = 20
    await scene.regions.refresh(catalogue(side=64))
    await scene.let_go()
    assert scene.events == ["allocated", "allocated", *["in use"] * 20, "unregistered", "freed"]


async def test_a_region_that_triton_registered_unheard_is_unregistered_before_it_is_freed(scene: Scene) -> None:
    scene.client.registers_unheard = True
    with pytest.raises(DeadlineExceeded):
        await scene.regions.refresh(catalogue())
    assert scene.events == ["allocated"]
    scene.client.registers_unheard, scene.client.failures = False, [TritonUnavailable("restarting")]
    with pytest.raises(TritonUnavailable):
        await scene.regions.refresh(catalogue())
    assert scene.events == ["allocated", "no answer"]
    await scene.regions.refresh(catalogue())
    assert scene.events == ["allocated", "no answer", "unregistered", "freed", "allocated"]
    assert list(scene.client.regions) == [scene.regions.current.name]


async def test_closing_after_a_registration_that_was_not_heard(scene: Scene) -> None:
    scene.client.registers_unheard = True
    with pytest.raises(DeadlineExceeded):
        await scene.regions.refresh(catalogue())
    await scene.regions.close()
    assert scene.events == ["allocated", "unregistered", "freed"]


async def test_closing_leaves_memory_of_the_gpu_that_triton_has_open(scene: Scene) -> None:
    await scene.regions.refresh(catalogue())
    scene.client.in_use = 2
    await scene.regions.close()
    assert scene.events == ["allocated", "in use", "in use"]


@pytest.mark.parametrize("with_device", [False, True])
async def test_closing_does_not_wait_for_a_triton_that_hangs(scene: Scene, with_device: bool) -> None:
    scene.regions = scene.make(with_device=with_device)
    await scene.regions.refresh(catalogue())
    scene.client.may_answer.clear()
    async with asyncio.timeout(10):
        await scene.regions.close()
    assert "freed" not in scene.events
    assert scene.files() == 0
    scene.client.may_answer.set()


async def test_closing_removes_the_name_of_shared_memory_that_triton_has_open(scene: Scene) -> None:
    scene.regions = scene.make(with_device=False)
    await scene.regions.refresh(catalogue())
    scene.client.in_use = 2
    await scene.regions.close()
    assert (scene.client.in_use, scene.files()) == (0, 0)


async def test_frames_leave_memory_that_triton_may_still_write_to(scene: Scene) -> None:
    await scene.regions.refresh(catalogue(raw=True))
    old = scene.regions.current
    slot = old.acquire()
    scene.regions.leave(old)
    assert scene.regions.current.transport == REQUEST
    old.release(slot)
    await scene.recovered()
    assert scene.regions.current.transport == CUDA
    assert scene.regions.current is not old
    assert scene.regions.current.raw_output(RAW) is not None
    again = scene.regions.current
    scene.regions.leave(old)
    assert scene.regions.current is again
    await scene.let_go()
    assert scene.events.count("freed") == 1


async def test_leaving_memory_while_triton_is_away(scene: Scene) -> None:
    await scene.regions.refresh(catalogue(raw=True))
    scene.client.refusals[CUDA] = TritonUnavailable("restarting")
    scene.regions.leave(scene.regions.current)
    await scene.let_go()
    assert scene.regions.current.transport == REQUEST
    scene.client.refusals.clear()
    await scene.recovered()
    assert scene.regions.current.transport == CUDA


async def test_a_triton_that_lets_nothing_go_gets_no_more_memory_of_the_gpu(scene: Scene) -> None:
    scene.client.in_use = 10**6
    for generation in range(10):
        await scene.regions.refresh(catalogue(generation))
    assert scene.events.count("allocated") == 5
    assert scene.regions.current.transport == SYSTEM
    assert scene.regions.reasons[CUDA].startswith("Triton has 5 older regions open")
    scene.client.in_use = 0


async def test_closing_does_not_wait_for_frames_that_never_come_back(scene: Scene) -> None:
    await scene.regions.refresh(catalogue(side=32))
    old = scene.regions.current
    slot = old.acquire()
    await scene.regions.refresh(catalogue(side=64))
    await scene.regions.close()
    assert scene.client.regions == {}
    old.release(slot)
    assert scene.events.count("freed") == scene.events.count("allocated") == 2
