"""The GPU's path put together."""

import asyncio
from concurrent.futures import ThreadPoolExecutor

import pytest

from gateway.cuda.device_path import DevicePath
from gateway.device_output import RawOutput
from gateway.errors import DeviceLost, DeviceRefused
from gateway.frame_memory import HostFrameMemory
from tests.gateway.cuda.conftest import HAS_GPU
from tests.gateway.cuda.prepared_frames import assert_alike, content, on_the_cpu, specs
from tests.gateway.cuda.small_pictures import png

(SPEC,) = specs({})


async def test_prepares_frames_and_says_what_it_is() -> None:
    memory, prepared = HostFrameMemory(None, 1, SPEC.size_bytes), list[bool]()
    with ThreadPoolExecutor(1) as executor:
        path = DevicePath(0, executor, streams=2, batch=3, max_pixels=10_000, on_prepared=prepared.append)
        await path.preparer.prepare(png(30, 40), SPEC, memory, 0)
        assert path._staging.pinned_bytes > 0
        path.close()
    assert path._staging.pinned_bytes == 0
    assert_alike(content(memory, 0, SPEC), on_the_cpu(png(30, 40), SPEC)[0], SPEC)
    assert prepared == [False]
    assert "compute capability" in path.description
    if not HAS_GPU:
        assert "JPEGs are decoded by the CPU (the simulator has no decoder)" in path.description
        with pytest.raises(DeviceRefused, match="no CUDA IPC"):
            path.make_memory("region", 1, 100, 0)


async def test_who_selects_detections_is_measured_beside_the_frames() -> None:
    kind = RawOutput("yolov8", (7, 20), 3)
    with ThreadPoolExecutor(1) as executor:
        path = DevicePath(0, executor, streams=2, batch=3, max_pixels=10_000, on_prepared=lambda _: None)
        path._outputs.expect("region", [kind])
        async with asyncio.timeout(30):
            while kind not in path._outputs._rooms:  # noqa: ASYNC110 - a thread does it
                await asyncio.sleep(0.01)
        path.close()
    assert len(path._outputs._room_streams) == 2


async def test_a_gpu_that_does_not_get_done_is_told() -> None:
    told = list[DeviceLost]()
    with ThreadPoolExecutor(1) as executor:
        path = DevicePath(0, executor, streams=1, batch=3, max_pixels=10_000, on_prepared=lambda _: None)
        path.when_stuck(told.append)
        path.preparer._give_up(3)
        path.close()
    assert ["a batch of 3 frames was not done" in error.reason for error in told] == [True]
