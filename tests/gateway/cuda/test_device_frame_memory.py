"""Slots on a GPU, or in numba's simulator: the kernel writes where Triton will read."""

import logging
import subprocess
import sys

import numpy as np
import pytest
from numba import cuda

from gateway.cuda.device import CudaDevice
from gateway.cuda.device_frame_memory import DeviceFrameMemory
from gateway.cuda.device_outputs import DeviceOutputs
from gateway.device_output import RawOutput, on_host
from gateway.errors import DeviceLost, DeviceMemoryFull
from gateway.transport import Transport
from tests.fakes.fake_sharing_device import FakeOutputReader, FakeSharingDevice
from tests.vision.cuda.conftest import HAS_GPU
from vision.cuda.frame_plan import IDENTITY, InputLayout, SourceFrame, normalisation_table, plan_frame, plan_table
from vision.cuda.letterbox import place_frames

READ_AS_TRITON_DOES = """
import sys
import numpy as np
from numba import cuda
from numba.cuda.cudadrv.driver import IpcHandle

handle = IpcHandle._rebuild(bytes.fromhex(sys.argv[1]), int(sys.argv[2]), None, 0)
region = handle.open_array(cuda.current_context(), (int(sys.argv[2]),), np.dtype(np.uint8)).copy_to_host()
handle.close()
print(region[int(sys.argv[3]) :][:100].tobytes().hex())
"""
KIND = RawOutput("yolov8", (6, 40), 2)


class HandedDevice(CudaDevice):
    """A device whose handle is made up: no other process opens it."""

    def ipc_handle(self, values: object) -> bytes:
        return bytes(range(64))


@pytest.fixture(scope="module")
def device() -> CudaDevice:
    return HandedDevice(0)


def test_a_frame_lies_in_its_slot_and_nowhere_else(device: CudaDevice) -> None:
    memory = DeviceFrameMemory(device, DeviceOutputs(device), "outpost_test", 3, 12 * 8 * 3, 100)
    assert (memory.slot_bytes, memory.output_bytes, memory.size_bytes) == (4096, 4096, 3 * 8192)
    assert memory.transport == Transport.CUDA
    assert memory.device_handle.raw == bytes(range(64))
    with device.in_use("test"):
        memory.values[:] = 0
        slot = [memory.acquire() for _ in range(3)][1]
        source = cuda.to_device(np.full(24 * 16 * 3, 9, np.uint8))
        plan, _ = plan_frame(
            SourceFrame(0, (24, 16), 1, (24, 16)),
            InputLayout((12, 8), "letterbox", 114, "rgb", planar=False),
            memory.offset(slot),
        )
        table = cuda.to_device(plan_table([plan]))
        place_frames(source, table, cuda.to_device(normalisation_table([IDENTITY])), memory.values, input_wh=(12, 8))
        region = memory.values.copy_to_host()
    assert (region[8192 : 8192 + 288] == 9).all()
    assert np.count_nonzero(region) == 288


def test_an_output_part_is_read_as_the_model_wrote_it(device: CudaDevice) -> None:
    memory = DeviceFrameMemory(device, DeviceOutputs(device), "outpost_test", 2, 100, KIND.size_bytes)
    memory.expect_outputs({"raw": KIND})
    values = np.arange(240, dtype=np.float32)
    with device.in_use("test"):
        begin = memory.output_offset(1)
        memory.values[begin : begin + values.nbytes] = values.view(np.uint8)
    np.testing.assert_array_equal(on_host(memory.output(KIND, 1)), values.reshape(KIND.shape))


def test_what_is_shared_holds_nothing_else(device: CudaDevice) -> None:
    fake = FakeSharingDevice()
    memory = DeviceFrameMemory(fake, FakeOutputReader(), "outpost_test", 3, 5000)
    assert memory.size_bytes == 3 * 8192
    assert fake.allocated[0].nbytes == 2 * 2**20


def test_retired_memory_is_freed_with_its_last_slot() -> None:
    fake = FakeSharingDevice()
    memory = DeviceFrameMemory(fake, FakeOutputReader(), "outpost_test", 2, 100)
    slot = memory.acquire()
    memory.retire()
    assert memory.values is not None
    memory.release(slot)
    assert memory.values is None
    assert fake.events == ["allocated", "freed"]


def test_no_outputs_are_expected_in_retired_memory() -> None:
    reader = FakeOutputReader()
    memory = DeviceFrameMemory(FakeSharingDevice(), reader, "outpost_test", 1, 100, KIND.size_bytes)
    memory.expect_outputs({"raw": KIND})
    assert set(reader.expected) == {KIND}
    memory.retire()
    assert not reader.expected


def test_memory_of_a_lost_gpu_is_let_go(caplog: pytest.LogCaptureFixture) -> None:
    fake = FakeSharingDevice()
    memory = DeviceFrameMemory(fake, FakeOutputReader(), "outpost_test", 1, 100)
    fake.error = DeviceLost("CUDA_ERROR_UNKNOWN")
    with caplog.at_level(logging.WARNING):
        memory.retire()
    assert memory.values is None
    assert "memory of the GPU was not given back" in caplog.text


def test_a_handle_that_is_refused_leaves_no_memory_behind() -> None:
    fake = FakeSharingDevice()
    fake.error = DeviceLost("CUDA_ERROR_UNKNOWN")
    with pytest.raises(DeviceLost):
        DeviceFrameMemory(fake, FakeOutputReader(), "outpost_test", 1, 100)
    fake.error, fake.full = None, True
    with pytest.raises(DeviceMemoryFull):
        DeviceFrameMemory(fake, FakeOutputReader(), "outpost_test", 1, 100)
    assert fake.events == ["allocated", "freed"]


@pytest.mark.gpu
@pytest.mark.skipif(not HAS_GPU, reason="no NVIDIA GPU here")
def test_another_process_opens_the_region_by_its_handle() -> None:
    device = CudaDevice(0)
    memory = DeviceFrameMemory(device, DeviceOutputs(device), "outpost_test", 2, 100)
    begin = memory.offset(1)
    with device.in_use("test"):
        memory.values[begin : begin + 100] = np.arange(100, dtype=np.uint8)
        cuda.synchronize()
    arguments = (memory.device_handle.raw.hex(), str(memory.size_bytes), str(begin))
    read = subprocess.run(
        [sys.executable, "-c", READ_AS_TRITON_DOES, *arguments], capture_output=True, text=True, check=False
    )
    assert read.stdout.strip() == bytes(range(100)).hex(), read.stderr
