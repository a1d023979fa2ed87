"""Frames prepared by the kernels against the CPU path: the same tensors, whatever the card asks."""

import pytest

from contracts.model_card import InputSpec
from gateway.cuda.device import CudaDevice
from gateway.frame_memory import HostFrameMemory
from tests.fakes.pictures import jpeg
from tests.gateway.cuda.prepared_frames import (
    assert_alike,
    content,
    device_memory,
    on_the_cpu,
    preparer_on,
    specs,
)
from tests.gateway.cuda.small_pictures import oriented, png

FLOATS: dict[str, object] = {
    "datatype": "FP32",
    "layout": "NCHW",
    "mean": (0.4, 0.5, 0.6),
    "std": (0.2, 0.25, 0.3),
}


@pytest.fixture(scope="module")
def device() -> CudaDevice:
    return CudaDevice(0)


@pytest.mark.parametrize(
    "spec",
    specs(
        {},
        {"mode": "stretch"},
        {"mode": "crop", "color": "bgr"},
        {"layout": "NCHW", "color": "bgr", "pad_value": 0},
        {"datatype": "FP32"},
        FLOATS,
        FLOATS | {"mode": "crop", "color": "bgr"},
    ),
    ids=str,
)
@pytest.mark.parametrize("frame", [jpeg(96, 64), png(95, 71), png(20, 40)], ids=["jpeg", "png", "upright"])
async def test_a_frame_becomes_the_tensor_of_the_cpu_path(device: CudaDevice, spec: InputSpec, frame: bytes) -> None:
    memory = device_memory(device)
    slot = [memory.acquire() for _ in range(2)][1]
    with preparer_on(device, device.allocate_pinned) as preparer:
        prepared = await preparer.prepare(memoryview(frame), spec, memory, slot)
    tensor, placement = on_the_cpu(frame, spec)
    assert_alike(content(memory, slot, spec), tensor, spec)
    assert prepared.placement == placement


@pytest.mark.parametrize("orientation", range(2, 9))
async def test_frames_are_turned_as_displayed(device: CudaDevice, orientation: int) -> None:
    memory, (spec,) = device_memory(device), specs({})
    frame = oriented(jpeg(48, 32), orientation)
    with preparer_on(device, device.allocate_pinned) as preparer:
        prepared = await preparer.prepare(frame, spec, memory, 0)
    tensor, placement = on_the_cpu(frame, spec)
    assert_alike(content(memory, 0, spec), tensor, spec)
    assert prepared.placement == placement


@pytest.mark.parametrize("spec", specs({}, FLOATS), ids=str)
async def test_a_tensor_is_copied_into_memory_of_the_machine(device: CudaDevice, spec: InputSpec) -> None:
    memory, frame = HostFrameMemory(None, 2, spec.size_bytes), png(40, 30)
    with preparer_on(device, device.allocate_pinned) as preparer:
        await preparer.prepare(frame, spec, memory, 1)
    assert_alike(content(memory, 1, spec), on_the_cpu(frame, spec)[0], spec)
    assert not content(memory, 0, spec).any()
