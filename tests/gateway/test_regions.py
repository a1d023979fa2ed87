"""The chain of transports, with a Triton and a GPU that do what a test says."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from gateway.errors import DeviceRefused, TritonCode, TritonRejected, TritonUnavailable
from tests.gateway.region_scene import CUDA, RAW, REQUEST, SHAPE, SYSTEM, Scene, catalogue


@pytest.fixture
async def scene() -> AsyncIterator[Scene]:
    made = Scene()
    yield made
    await made.regions.close()
    assert made.client.regions == {}
    assert made.files() == 0


async def test_memory_of_the_gpu_comes_first(scene: Scene) -> None:
    await scene.regions.refresh(catalogue())
    assert scene.regions.current.transport == CUDA
    assert list(scene.client.regions.values()) == [CUDA]
    assert (scene.regions.shared, scene.regions.reason, scene.regions.reasons) == (True, "", {})
    assert [scene.gauge(each) for each in (CUDA, SYSTEM, REQUEST)] == [1, 0, 0]
    assert scene.registry.get_sample_value("outpost_shared_memory") == 1


async def test_what_triton_refuses_is_named_and_the_next_way_is_taken(scene: Scene) -> None:
    scene.client.refusals[CUDA] = TritonRejected(TritonCode.INVALID_ARGUMENT, "GPUs not supported")
    await scene.regions.refresh(catalogue())
    assert scene.regions.current.transport == SYSTEM
    assert scene.regions.reasons == {CUDA: "Triton cannot open it: GPUs not supported"}
    assert scene.refusals() == {CUDA.value: "refused_by_triton"}
    assert scene.regions.reason == ""
    assert scene.events == ["allocated", "freed"]
    assert [scene.gauge(each) for each in (CUDA, SYSTEM, REQUEST)] == [0, 1, 0]


async def test_at_last_tensors_travel_in_the_request(scene: Scene) -> None:
    refused = TritonRejected(TritonCode.INVALID_ARGUMENT, "not allowed")
    scene.client.refusals |= {CUDA: refused, SYSTEM: refused}
    await scene.regions.refresh(catalogue())
    assert scene.regions.current.transport == REQUEST
    assert scene.regions.reason == "Triton cannot open it: not allowed"
    assert set(scene.regions.reasons) == {CUDA, SYSTEM}
    assert [scene.gauge(each) for each in (CUDA, SYSTEM, REQUEST)] == [0, 0, 1]
    assert scene.registry.get_sample_value("outpost_shared_memory") == 0
    assert scene.files() == 0


async def test_a_gpu_without_room_says_how_much_is_missing(scene: Scene) -> None:
    scene.device.full = True
    await scene.regions.refresh(catalogue())
    assert scene.regions.current.transport == SYSTEM
    assert "no memory for 2097152 bytes more, 1000 are free" in scene.regions.reasons[CUDA]


async def test_a_gpu_that_shares_no_memory(scene: Scene) -> None:
    scene.device.error = DeviceRefused("share memory with Triton", "CUDA_ERROR_NOT_SUPPORTED")
    await scene.regions.refresh(catalogue())
    assert scene.regions.current.transport == SYSTEM
    assert scene.regions.reasons[CUDA].endswith("share memory with Triton: CUDA_ERROR_NOT_SUPPORTED")


async def test_a_package_around_the_driver_that_fails_in_its_own_way_ends_nothing(scene: Scene) -> None:
    scene.device.error = AttributeError("no attribute 'reserved'")
    await scene.regions.refresh(catalogue())
    assert scene.regions.current.transport == SYSTEM
    assert scene.regions.reasons == {CUDA: "cannot create it: AttributeError: no attribute 'reserved'"}
    assert scene.events == ["allocated", "freed"]


@pytest.mark.parametrize("with_device", [False, True])
async def test_shared_memory_that_is_switched_off(scene: Scene, with_device: bool) -> None:
    scene.regions = scene.make(with_device=with_device, use_shared_memory=False)
    await scene.regions.refresh(catalogue())
    assert scene.regions.current.transport == REQUEST
    assert scene.regions.reason == "switched off by the setting shared_memory"
    assert (CUDA in scene.regions.reasons) == with_device


async def test_without_a_gpu_nothing_is_said_of_one(scene: Scene) -> None:
    scene.regions = scene.make(with_device=False)
    await scene.regions.refresh(catalogue())
    assert (scene.regions.current.transport, scene.regions.reasons) == (SYSTEM, {})


async def test_a_restarted_triton_gets_the_whole_chain_again(scene: Scene) -> None:
    scene.client.refusals[CUDA] = TritonRejected(TritonCode.INVALID_ARGUMENT, "GPUs not supported")
    await scene.regions.refresh(catalogue(1))
    scene.client.refusals.clear()
    await scene.regions.refresh(catalogue(1))
    assert scene.regions.current.transport == SYSTEM
    scene.client.regions.clear()
    await scene.regions.refresh(catalogue(2))
    await scene.settle()
    assert (scene.regions.current.transport, scene.regions.reasons) == (CUDA, {})
    assert scene.refusals() == {}
    assert list(scene.client.regions.values()) == [CUDA]
    assert scene.files() == 0


async def test_a_hundred_starts_of_triton_leave_one_region(scene: Scene) -> None:
    for generation in range(100):
        scene.client.regions.clear()
        await scene.regions.refresh(catalogue(generation))
        await scene.settle()
    assert scene.events.count("allocated") == scene.events.count("freed") + 1 == 100
    assert list(scene.client.regions) == [scene.regions.current.name]


async def test_the_same_catalogue_changes_nothing(scene: Scene) -> None:
    await scene.regions.refresh(catalogue())
    first = scene.regions.current
    await scene.regions.refresh(catalogue())
    assert scene.regions.current is first
    assert scene.events == ["allocated"]


async def test_frames_leave_a_lost_gpu_at_once_and_for_good(scene: Scene) -> None:
    await scene.regions.refresh(catalogue(1))
    slot_bytes = scene.regions.current.slot_bytes
    scene.regions.leave_device("the GPU was lost: Xid 79")
    assert (scene.regions.current.transport, scene.regions.current.slot_bytes) == (REQUEST, slot_bytes)
    assert scene.regions.reason == "the GPU was lost: Xid 79"
    await scene.settle()
    assert scene.regions.current.transport == SYSTEM
    assert list(scene.client.regions.values()) == [SYSTEM]
    await scene.regions.refresh(catalogue(2))
    assert scene.regions.current.transport == SYSTEM
    assert scene.regions.reasons == {CUDA: "the GPU was lost: Xid 79"}
    assert scene.refusals() == {CUDA.value: "gpu_lost"}


async def test_a_gpu_that_is_lost_after_triton_refused_its_memory_is_in_the_metrics(scene: Scene) -> None:
    scene.client.refusals[CUDA] = TritonRejected(TritonCode.INVALID_ARGUMENT, "GPUs not supported")
    await scene.regions.refresh(catalogue(1))
    scene.regions.leave_device("the GPU was lost: Xid 79")
    assert scene.refusals() == {CUDA.value: "gpu_lost"}
    assert [scene.gauge(each) for each in (CUDA, SYSTEM, REQUEST)] == [0, 1, 0]


async def test_a_gpu_that_is_lost_while_triton_is_away(scene: Scene) -> None:
    await scene.regions.refresh(catalogue())
    scene.client.refusals[SYSTEM] = TritonUnavailable("restarting")
    scene.regions.leave_device("lost")
    await scene.settle()
    assert scene.regions.current.transport == REQUEST
    scene.client.refusals.clear()
    await scene.regions.refresh(catalogue())
    assert scene.regions.current.transport == SYSTEM


async def test_a_gpu_that_is_lost_while_its_memory_is_registered(scene: Scene) -> None:
    scene.client.may_answer.clear()
    refreshing = asyncio.create_task(scene.regions.refresh(catalogue()))
    await scene.settle()
    assert scene.events == ["allocated"]
    scene.regions.leave_device("lost")
    scene.client.may_answer.set()
    await refreshing
    assert scene.regions.current.transport == SYSTEM
    assert scene.events == ["allocated", "unregistered", "freed"]
    assert list(scene.client.regions.values()) == [SYSTEM]


async def test_raw_outputs_get_a_part_of_each_slot(scene: Scene) -> None:
    await scene.regions.refresh(catalogue())
    assert scene.regions.current.raw_output(RAW) is None
    await scene.regions.refresh(catalogue(raw=True))
    memory = scene.regions.current
    kind = memory.raw_output(RAW)
    assert kind is not None
    assert kind.size_bytes == 4 * 6 * 2000 <= memory.output_bytes
    assert memory.output_offset(1) == memory.offset(1) + memory.slot_bytes
    assert [kind.shape for kind in scene.reader.expected] == [SHAPE]
    await scene.regions.refresh(catalogue(raw=True))
    assert scene.regions.current is memory


async def test_a_build_that_is_gone_is_not_expected_any_more(scene: Scene) -> None:
    await scene.regions.refresh(catalogue(raw=True))
    await scene.regions.refresh(catalogue())
    assert scene.regions.current.raw_output(RAW) is None
    assert list(scene.reader.expected) == []


async def test_a_region_that_another_frame_registered_again_is_fine(scene: Scene) -> None:
    await scene.regions.refresh(catalogue())
    scene.client.refusals[CUDA] = TritonRejected(TritonCode.ALREADY_EXISTS, "already")
    await scene.regions.register_again(scene.regions.current)
    scene.client.refusals[CUDA] = TritonRejected(TritonCode.INVALID_ARGUMENT, "cannot open")
    with pytest.raises(TritonRejected, match="cannot open"):
        await scene.regions.register_again(scene.regions.current)
