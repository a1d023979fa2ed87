"""What the NVIDIA driver is asked."""
# ruff: noqa: N802  the names are those of the CUDA driver API

from dataclasses import dataclass
from typing import Any

import pytest

from model_compiler.engines.cuda_device import CudaDevice, NoCudaDevice, find_cuda_device


@dataclass
class FakeDriver:
    init_status: int = 0
    device_status: int = 0

    def cuInit(self, flags: int) -> int:
        return self.init_status

    def cuDriverGetVersion(self, version: Any) -> int:
        version._obj.value = 12060
        return 0

    def cuDeviceGet(self, device: Any, ordinal: int) -> int:
        return self.device_status

    def cuDeviceGetName(self, name: Any, size: int, device: Any) -> int:
        assert len(name) == size
        name.value = b"Orin"
        return 0

    def cuDeviceGetAttribute(self, value: Any, attribute: int, device: Any) -> int:
        value._obj.value = {75: 8, 76: 7}[attribute]
        return 0


def test_the_first_gpu_is_described() -> None:
    assert find_cuda_device(FakeDriver()) == CudaDevice(name="Orin", compute_capability="8.7", cuda_version="12.6")


@pytest.mark.parametrize(
    ("driver", "said"),
    [(FakeDriver(init_status=100), "cuInit gave 100"), (FakeDriver(device_status=101), "cuDeviceGet gave 101")],
)
def test_a_driver_without_a_gpu_says_so(driver: FakeDriver, said: str) -> None:
    with pytest.raises(NoCudaDevice, match=rf"the NVIDIA driver finds no GPU \({said}\)"):
        find_cuda_device(driver)
