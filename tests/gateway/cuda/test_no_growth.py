"""Nothing is left of frames that were answered, refused, or given up."""

import asyncio
import resource
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from gateway.cuda.device import CudaDevice
from gateway.cuda.device_path import DevicePath
from gateway.cuda.device_preparer import DevicePreparer
from gateway.cuda.frame_reader import FrameReader
from gateway.cuda.staging_memory import Block, StagingMemory
from gateway.cuda.waiting_frame import PlacedFrame, WaitingFrame
from gateway.errors import DeviceMemoryFull
from gateway.frame_memory import HostFrameMemory
from tests.fakes.pictures import jpeg
from tests.gateway.cuda.conftest import HAS_GPU
from tests.gateway.cuda.prepared_frames import (
    TroubledDevice,
    content,
    device_memory,
    on_the_cpu,
    preparer_on,
    specs,
)
from tests.gateway.cuda.small_pictures import corrupt, png
from vision.errors import ImageError
from vision.letterbox import Placement

(SPEC,) = specs({})
FRAMES = (jpeg(48, 36), png(30, 40), corrupt(), b"no picture", jpeg(96, 72, seed=1))


class QuickLane:
    """Places nothing; every seventh batch finds the GPU's memory full."""

    def __init__(self) -> None:
        self.batches = 0

    def place(self, batch: Sequence[WaitingFrame]) -> list[PlacedFrame | None]:
        self.batches += 1
        if self.batches % 7 == 0:
            raise DeviceMemoryFull(1, 0)
        return [PlacedFrame(Placement(1.0, 1.0, 0, 0, 1, 1), 0.0, 0.0) for _ in batch]


async def test_thousands_of_frames_leave_nothing_behind() -> None:
    pinned = list[int]()

    def pin(size_bytes: int) -> Block:
        pinned.append(size_bytes)
        return np.empty(size_bytes, np.uint8)

    memory = HostFrameMemory(None, 8, SPEC.size_bytes)
    staging = StagingMemory(pin)
    with ThreadPoolExecutor(2) as executor:
        reader = FrameReader(staging, device_decodes=False, max_pixels=10_000)
        preparer = DevicePreparer([QuickLane(), QuickLane()], reader, executor, batch=4)
        for first in range(0, 4000, 8):
            tasks = [
                asyncio.create_task(preparer.prepare(FRAMES[(first + slot) % 5], SPEC, memory, slot))
                for slot in range(8)
            ]
            if first % 24 == 0:
                await asyncio.sleep(0)
                tasks[0].cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        assert not preparer._waiting
        assert not preparer._placed
        assert len(preparer._idle) == 2
        preparer.close()
    # one block for each frame that was in work at one time, at most
    assert staging.pinned_bytes == sum(pinned) <= 8 * 65_536
    assert sum(len(blocks) for blocks in staging._free.values()) == len(pinned)


async def test_a_lane_asks_for_memory_on_the_gpu_once() -> None:
    device = TroubledDevice(CudaDevice(0))
    memory = HostFrameMemory(None, 2, SPEC.size_bytes)
    with preparer_on(device, device.allocate_pinned) as preparer:
        for number in range(6):
            await preparer.prepare(png(30 + number, 40), SPEC, memory, 0)
    assert len(device.allocated) == 4  # the two tables, pixels, tensors


async def test_memory_for_a_frame_far_larger_than_others_is_given_back() -> None:
    device = TroubledDevice(CudaDevice(0))
    memory = HostFrameMemory(None, 2, SPEC.size_bytes)
    with preparer_on(device, device.allocate_pinned, keep_bytes=1000) as preparer:
        for _ in range(2):
            await preparer.prepare(png(30, 40), SPEC, memory, 0)
    assert device.allocated.count(2**20) == 3  # pixels twice, tensors once
    # pixels after each frame, and before each of the three requests what may have been there
    assert device.freed == 5


@pytest.mark.gpu
@pytest.mark.soak
@pytest.mark.skipif(not HAS_GPU, reason="no NVIDIA GPU")
async def test_a_hundred_thousand_frames_on_a_gpu_take_no_more_memory() -> None:
    device, readings = CudaDevice(0), []
    expected = {frame: on_the_cpu(frame, SPEC)[0].astype(float) for frame in (FRAMES[0], FRAMES[1], FRAMES[4])}
    with ThreadPoolExecutor(4) as executor:
        path = DevicePath(0, executor, streams=2, batch=8, max_pixels=10_000, on_prepared=lambda _: None)
        memory = device_memory(device, slots=16)
        for first in range(0, 100_000, 16):
            frames = [FRAMES[(first + slot) % 5] for slot in range(16)]
            tasks = [path.preparer.prepare(frame, SPEC, memory, slot) for slot, frame in enumerate(frames)]
            found = await asyncio.gather(*tasks, return_exceptions=True)
            assert all(isinstance(each, ImageError) or not isinstance(each, BaseException) for each in found)
            if first % 2_000 == 0:
                for slot, frame in enumerate(frames):
                    if frame in expected:  # two decoders of JPEGs differ by a level here and there
                        assert abs(content(memory, slot, SPEC) - expected[frame]).mean() <= 2.0
                readings.append((device.memory_bytes()[0], resource.getrusage(resource.RUSAGE_SELF).ru_maxrss))
        path.close()
    free, resident_kib = zip(*readings[10:], strict=True)  # from the 20,000th on
    assert len(free) == 40
    assert free[0] - min(free[-5:]) <= 2**20
    assert resident_kib[-1] - resident_kib[0] <= 32 * 1024
