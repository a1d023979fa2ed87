"""Two processes that share memory of a GPU, of which one is killed; and memory that is shared again and again."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import pytest

from gateway.cuda.device import CudaDevice
from gateway.cuda.device_frame_memory import DeviceFrameMemory
from gateway.cuda.device_outputs import DeviceOutputs
from gateway.device_output import RawOutput, SelectionOptions
from tests.vision.cuda.conftest import HAS_GPU

pytestmark = [pytest.mark.gpu, pytest.mark.skipif(not HAS_GPU, reason="no NVIDIA GPU here")]

GATEWAY = """
from gateway.cuda.device import CudaDevice
from gateway.cuda.device_frame_memory import DeviceFrameMemory
from gateway.cuda.device_outputs import DeviceOutputs

device = CudaDevice(0)
memory = DeviceFrameMemory(device, DeviceOutputs(device), "outpost_test", 2, 100)
print(memory.device_handle.raw.hex(), memory.size_bytes, flush=True)
input()
"""
TRITON = """
import ctypes
import sys
import numpy as np
from cuda.bindings.driver import CUipcMemHandle
from numba import cuda
from numba.cuda.cudadrv.devicearray import DeviceNDArray

raw, size_bytes = bytes.fromhex(sys.argv[1]), int(sys.argv[2])
handle = CUipcMemHandle()
ctypes.memmove(handle.getPtr(), raw, len(raw))
memory = cuda.current_context().open_ipc_handle(handle, size_bytes)
region = DeviceNDArray((size_bytes,), (1,), np.dtype(np.uint8), gpu_data=memory)
print("open", flush=True)
input()
region[:] = 7
cuda.synchronize()
print("written", flush=True)
assert (cuda.to_device(np.arange(100)).copy_to_host() == np.arange(100)).all()
print("works", flush=True)
input()
"""
KIND = RawOutput("yolov8", (84, 2000), 80)


@contextmanager
def process(program: str, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-c", program, *arguments]
    started = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        yield started
    finally:
        started.kill()
        started.communicate()


def line_of(running: subprocess.Popen[str]) -> str:
    assert running.stdout is not None
    return running.stdout.readline().strip()


def tell(running: subprocess.Popen[str]) -> None:
    assert running.stdin is not None
    running.stdin.write("\n")
    running.stdin.flush()


def test_triton_lives_on_when_the_gateway_is_killed_while_a_model_writes() -> None:
    with process(GATEWAY) as gateway, process(TRITON, *line_of(gateway).split()) as triton:
        assert line_of(triton) == "open"
        os.kill(gateway.pid, signal.SIGKILL)
        gateway.wait()
        tell(triton)
        assert line_of(triton) == "written"
        assert line_of(triton) == "works"


def test_the_gateway_lives_on_when_triton_is_killed_with_its_memory_open() -> None:
    device = CudaDevice(0)
    before = device.memory_bytes()[0]
    memory = DeviceFrameMemory(device, DeviceOutputs(device), "outpost_test", 2, 2**25)
    with process(TRITON, memory.device_handle.raw.hex(), str(memory.size_bytes)) as triton:
        assert line_of(triton) == "open"
        os.kill(triton.pid, signal.SIGKILL)
        triton.wait()
    with device.in_use("test"):
        memory.values[:4] = np.arange(4, dtype=np.uint8)
        assert memory.values[:4].copy_to_host().tolist() == [0, 1, 2, 3]
    memory.retire()
    assert before - device.memory_bytes()[0] <= 2**25


def test_memory_that_is_made_and_shared_again_and_again_is_given_back() -> None:
    device = CudaDevice(0)
    outputs = DeviceOutputs(device)
    free = []
    for _ in range(1000):
        memory = DeviceFrameMemory(device, outputs, "outpost_test", 4, 2**20, KIND.size_bytes)
        memory.retire()
        free.append(device.memory_bytes()[0])
    assert free[10] - free[-1] <= 2**21


@pytest.mark.soak
def test_a_hundred_thousand_outputs_take_no_more_memory() -> None:
    device = CudaDevice(0)
    outputs = DeviceOutputs(device)
    memory = DeviceFrameMemory(device, outputs, "outpost_test", 4, 2**20, KIND.size_bytes)
    memory.expect_outputs({"raw": KIND})
    outputs.measure()
    head = np.random.default_rng(1).uniform(0, 1, KIND.shape).astype(np.float32)
    with device.in_use("test"):
        for slot in range(memory.slots):
            begin = memory.output_offset(slot)
            memory.values[begin : begin + head.nbytes] = head.reshape(-1).view(np.uint8)
    options = SelectionOptions(
        thresholds=np.full(80, 0.9, np.float32), iou_threshold=0.5, class_agnostic=False, max_detections=100
    )
    expected = memory.output(KIND, 0).select(**options)
    free = []
    for number in range(100_000):
        found = memory.output(KIND, number % memory.slots).select(**options)
        if number % 1000 == 0:
            np.testing.assert_array_equal(found, expected)
            free.append(device.memory_bytes()[0])
    assert free[10] - free[-1] <= 2**20
