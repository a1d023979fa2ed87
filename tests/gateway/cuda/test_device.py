"""The GPU, or numba's simulator in its place."""

import ctypes
import os
from types import SimpleNamespace
from typing import cast

import numpy as np
import pytest
from cuda.bindings import driver
from numba import cuda
from numba.cuda.cudadrv.driver import CudaAPIError

from gateway.cuda.device import CudaDevice, handle_bytes
from gateway.cuda.device_errors import device_error
from gateway.cuda.staging_memory import StagingMemory
from gateway.errors import BackendError, DeviceLost, DeviceMemoryFull, DeviceRefused
from tests.vision.cuda.conftest import HAS_GPU


@pytest.fixture(scope="module")
def device() -> CudaDevice:
    return CudaDevice(0)


def test_it_says_what_it_is(device: CudaDevice) -> None:
    assert device.simulated is not HAS_GPU
    assert device.name
    assert device.compute_capability >= (5, 0)
    free, total = device.memory_bytes()
    assert 0 <= free <= total


def test_there_is_no_such_gpu() -> None:
    with pytest.raises(DeviceRefused, match="there is no GPU 99: CUDA sees"):
        CudaDevice(99)


def test_what_is_uploaded_comes_back(device: CudaDevice) -> None:
    values = np.arange(12, dtype=np.float32).reshape(3, 4)
    with device.in_use("test"):
        np.testing.assert_array_equal(device.upload(values).copy_to_host(), values)
    assert device.allocate(1000).shape == (1000,)
    pinned = device.allocate_pinned(100)
    pinned[:] = 7
    assert pinned.tolist() == [7] * 100
    device.create_stream().synchronize()
    device.free_unused()


def test_a_process_that_was_forked_later_is_told_so(device: CudaDevice) -> None:
    child = os.fork()
    if child == 0:  # no pytest in here: only the exit code goes back
        try:
            device.allocate(10)
        except DeviceRefused as error:
            os._exit(0 if "was forked from" in str(error) else 1)
        except BaseException:  # noqa: BLE001 - nothing may leave the child
            os._exit(2)
        os._exit(3)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("CUDA_ERROR_OUT_OF_MEMORY", DeviceMemoryFull),
        ("CUDA_ERROR_ILLEGAL_ADDRESS", DeviceLost),
        ("CUDA_ERROR_ECC_UNCORRECTABLE", DeviceLost),
        ("CUDA_ERROR_LAUNCH_FAILED", DeviceLost),
        ("CUDA_ERROR_NOT_SUPPORTED", DeviceRefused),
        ("CUDA_ERROR_INVALID_VALUE", DeviceRefused),
    ],
)
def test_what_the_driver_says_becomes_an_error_of_the_gateway(
    device: CudaDevice, code: str, kind: type[BackendError]
) -> None:
    said = CudaAPIError(2, code)
    said.code = SimpleNamespace(name=code)  # as the binding's enumeration; the simulator has none
    with pytest.raises(kind) as caught, device.in_use("copy a frame", 123):
        raise said
    assert caught.value.__cause__ is said


def of_library(module: str, name: str, words: str) -> Exception:
    """An error as a library raises it, which may not be installed here."""
    return cast("Exception", type(name, (Exception,), {"__module__": module})(words))


@pytest.mark.parametrize(
    ("error", "kind", "said"),
    [
        (("cuda.core._utils.cuda_utils", "CUDAError", "CUDA_ERROR_LAUNCH_FAILED: a failure"), DeviceLost, "LAUNCH"),
        (("cuda.core.cu13._utils.cuda_utils", "CUDAError", "CUDA_ERROR_OUT_OF_MEMORY"), DeviceMemoryFull, "5242880"),
        (("cuda.core._utils.cuda_utils", "NVRTCError", "no compiler"), DeviceRefused, "NVRTCError: no compiler"),
        (("numba.cuda.cudadrv.error", "CudaSupportError", "no libcuda"), DeviceRefused, "no libcuda"),
        (("numba.cuda.cudadrv.driver", "CudaAPIError", "[719] CUDA_ERROR_LAUNCH_FAILED"), DeviceLost, "LAUNCH"),
    ],
)
def test_what_launches_and_libraries_raise_becomes_one_too(
    device: CudaDevice, error: tuple[str, str, str], kind: type[BackendError], said: str
) -> None:
    with pytest.raises(kind, match=said), device.in_use("prepare frames", 5 * 2**20):
        raise of_library(*error)


def test_what_a_compiler_says_becomes_one_line(device: CudaDevice) -> None:
    said = "No implementation of function\n" + 100 * "  candidate: operator.add\n"
    with pytest.raises(DeviceRefused) as caught, device.in_use("prepare frames"):
        raise of_library("numba.cuda.core.errors", "TypingError", said)
    assert caught.value.reason.startswith("TypingError: No implementation of function candidate:")
    assert len(caught.value.reason) <= 520


def test_an_error_of_others_stays_what_it_is(device: CudaDevice) -> None:
    with pytest.raises(KeyError), device.in_use("prepare frames"):
        raise KeyError


def test_freeing_may_be_nested_and_leaves_the_device_usable(device: CudaDevice) -> None:
    values = [device.allocate(1000)]
    with device.freeing():
        values.clear()
        device.free_unused()
    assert device.allocate(10).shape == (10,)


def test_the_errors_have_the_facts() -> None:
    full = device_error("CUDA_ERROR_OUT_OF_MEMORY", "allocate memory", 5000, lambda: 7)
    assert isinstance(full, DeviceMemoryFull)
    assert (full.needed_bytes, full.free_bytes) == (5000, 7)
    lost = device_error("CUDA_ERROR_LAUNCH_FAILED", "place frames", 0, lambda: 0)
    assert "CUDA_ERROR_LAUNCH_FAILED" in str(lost)
    assert "place frames" in str(lost)


@pytest.mark.skipif(HAS_GPU, reason="a GPU shares its memory")
def test_a_handle_of_nvidias_bindings_is_read_whole() -> None:
    handle, content = driver.CUipcMemHandle(), bytes(range(64))
    ctypes.memmove(handle.getPtr(), content, len(content))
    assert handle_bytes(handle) == content


def test_the_simulator_shares_no_memory(device: CudaDevice) -> None:
    with pytest.raises(DeviceRefused, match="the simulator has no CUDA IPC"):
        device.ipc_handle(device.allocate(10))


@pytest.mark.gpu
@pytest.mark.skipif(not HAS_GPU, reason="no NVIDIA GPU here")
def test_a_gpu_has_a_handle_of_64_bytes_and_takes_memory_back(device: CudaDevice) -> None:
    before, _ = device.memory_bytes()
    values = device.allocate(2**28)
    assert len(device.ipc_handle(values)) == 64
    during, _ = device.memory_bytes()
    assert before - during >= 2**28
    del values
    device.free_unused()
    after, _ = device.memory_bytes()
    assert before - after < 2**26


@pytest.mark.gpu
@pytest.mark.skipif(not HAS_GPU, reason="no NVIDIA GPU here")
def test_a_launch_that_the_driver_refuses_is_an_error_of_the_gateway(device: CudaDevice) -> None:
    @cuda.jit
    def nothing(values):  # type: ignore[no-untyped-def]
        values[0] = 1

    with pytest.raises(BackendError), device.in_use("launch"):
        nothing[1, 4096](device.allocate(10))  # no GPU has blocks of so many threads


@pytest.mark.gpu
@pytest.mark.skipif(not HAS_GPU, reason="no NVIDIA GPU here")
def test_more_memory_than_there_is_is_said_with_what_is_free(device: CudaDevice) -> None:
    with pytest.raises(DeviceMemoryFull) as caught:
        device.allocate(2**46)
    assert caught.value.free_bytes > 0


@pytest.mark.gpu
@pytest.mark.skipif(not HAS_GPU, reason="no NVIDIA GPU here")
def test_pinned_memory_of_changing_sizes_is_unpinned_at_once(device: CudaDevice) -> None:
    staging = StagingMemory(device.allocate_pinned, freeing=device.freeing, most_bytes=2**26)
    for number in range(40):
        staging.give_back(staging.take(2 ** (25 + number % 2)))
        assert staging.pinned_bytes <= 2**26
        with device.in_use("look"):
            assert not len(cuda.current_context().memory_manager.deallocations)
