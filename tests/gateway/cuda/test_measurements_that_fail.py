"""Measuring who selects detections: memory is freed where its GPU is in use, and no failure ends it."""

import gc
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from numpy.typing import NDArray

from gateway.cuda.device import CudaDevice
from gateway.cuda.device_outputs import DeviceOutputs
from gateway.device_output import RawOutput
from gateway.errors import DeviceLost, DeviceRefused
from tests.gateway.cuda.test_device_outputs import QUICKER, Clock, WatchedDevice, WatchedMemory, measured, place_of

KIND = RawOutput("yolov8", (7, 20), 3)
OTHER = RawOutput("yolov8", (7, 24), 3)


class DriverError(Exception):
    """As numba raises it."""

    __module__ = "numba.cuda"


class FreedDevice(WatchedDevice):
    """Knows how deep in use it was each time that what is watched was let go of: uploaded arrays, and others."""

    def __init__(self) -> None:
        self.freed_at = list[int]()
        self.breaks = False
        super().__init__(0)

    def watch(self, memory: Any) -> Any:
        weakref.finalize(memory, lambda: self.freed_at.append(self.depth))
        return memory

    def upload(self, values: NDArray[Any]) -> Any:
        memory = (BrokenMemory if self.breaks else WatchedMemory)(self, super().upload(values))
        return self.watch(memory)


class BrokenMemory(WatchedMemory):
    """An array that the driver cannot cut."""

    def __getitem__(self, part: slice) -> Any:
        raise DriverError("CUDA_ERROR_INVALID_VALUE")


@pytest.fixture
def no_collection() -> Iterator[None]:
    """What is let go of in the test, its last owner lets go of."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


@pytest.mark.usefixtures("no_collection")
def test_what_a_measurement_takes_is_freed_where_the_gpu_is_in_use() -> None:
    device = FreedDevice()
    outputs = measured(device, KIND, Clock(*QUICKER["GPU"], *QUICKER["CPU"], *QUICKER["CPU"]))
    assert len(device.freed_at) == 2
    device.watch(outputs._rooms[KIND])
    in_work = outputs.output(None, 0, KIND)
    outputs.measure()
    del in_work
    assert len(device.freed_at) == 4
    outputs.measure()
    assert len(device.freed_at) == 7  # with the rooms that were in force
    assert all(device.freed_at)


@pytest.mark.usefixtures("no_collection")
def test_what_a_failed_measurement_took_is_freed_where_the_gpu_is_in_use() -> None:
    device = FreedDevice()
    device.breaks = True
    outputs = measured(device, KIND, Clock(*QUICKER["GPU"]))
    assert place_of(outputs, KIND) is None
    assert len(device.freed_at) == 1
    assert all(device.freed_at)


class TroubledDevice(CudaDevice):
    """Fails where a measurement begins, or where memory is freed."""

    upload_error: Exception | None = None
    freeing_error: Exception | None = None
    uploads = 0

    def upload(self, values: NDArray[Any]) -> Any:
        self.uploads += 1
        if self.upload_error is not None:
            raise self.upload_error
        return super().upload(values)

    @contextmanager
    def freeing(self) -> Iterator[None]:
        with super().freeing():
            yield
        if self.freeing_error is not None:
            raise self.freeing_error


def test_on_a_lost_gpu_no_other_kind_is_measured_nor_one_that_comes_later() -> None:
    device = TroubledDevice(0)
    device.upload_error = DeviceLost("Xid 79")
    outputs = DeviceOutputs(device)
    outputs.expect("region", [KIND, OTHER])
    outputs.measure()
    assert device.uploads == 1
    outputs.expect("region", [KIND])
    outputs.measure()
    assert device.uploads == 1


@pytest.mark.parametrize("error", [DeviceRefused("free memory", "no"), KeyError("no")], ids=["driver", "mistake"])
def test_no_failure_to_free_ends_the_measurements(error: Exception) -> None:
    device = TroubledDevice(0)
    outputs = measured(device, KIND, Clock(*QUICKER["GPU"]))
    device.freeing_error = error
    outputs.expect("region", [])
    outputs.measure()
    assert outputs._rooms == {}
