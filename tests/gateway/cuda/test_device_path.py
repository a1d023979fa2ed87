"""The GPU's path put together."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from gateway.cuda.device_path import DevicePath
from gateway.errors import DeviceRefused
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
