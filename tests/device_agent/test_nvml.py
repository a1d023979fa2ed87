"""NVIDIA's management library, as far as it can be asked without a GPU."""

import logging
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from device_agent.sensors.host_tree import HostTree
from device_agent.sensors.nvidia_gpus import NvidiaSource, Quantity
from device_agent.sensors.nvml import Nvml, NvmlError, NvmlFinder
from tests.device_agent.exposition import exposed, scrape
from tests.device_agent.machine_trees import write_tree


class FakeLibrary(ModuleType):
    """The module ``pynvml`` for one GPU that counts no energy and whose power sensor fails."""

    NVML_TEMPERATURE_GPU = 0
    NVML_CLOCK_SM = 1
    NVML_CLOCK_MEM = 2

    class NVMLError(Exception):
        pass

    class NVMLError_NotSupported(NVMLError):  # noqa: N801 - the library's name
        pass

    class NVMLError_LibraryNotFound(NVMLError):  # noqa: N801 - the library's name
        pass

    def nvmlInit(self) -> None: ...  # noqa: N802

    def nvmlDeviceGetCount(self) -> int:  # noqa: N802
        return 1

    def nvmlDeviceGetHandleByIndex(self, index: int) -> int:  # noqa: N802
        return index

    def nvmlDeviceGetName(self, handle: int) -> bytes:  # noqa: N802
        return b"Tesla T4"

    def nvmlDeviceGetUtilizationRates(self, handle: int) -> Any:  # noqa: N802
        return SimpleNamespace(gpu=55, memory=10)

    def nvmlDeviceGetTotalEnergyConsumption(self, handle: int) -> int:  # noqa: N802
        raise self.NVMLError_NotSupported("Not Supported")

    def nvmlDeviceGetPowerUsage(self, handle: int) -> int:  # noqa: N802
        raise self.NVMLError("GPU is lost")


def test_values_absences_and_failures_are_told_apart() -> None:
    nvml = Nvml(FakeLibrary("pynvml"))
    assert nvml.names() == ["Tesla T4"]
    assert nvml.value(0, Quantity.UTILIZATION_PERCENT) == 55
    assert nvml.value(0, Quantity.ENERGY_MILLIJOULES) is None
    with pytest.raises(NvmlError, match="power of GPU 0: GPU is lost"):
        nvml.value(0, Quantity.POWER_MILLIWATTS)


def test_the_package_knows_every_name_that_is_asked() -> None:
    pynvml = pytest.importorskip("pynvml")

    class Recorder(ModuleType):
        NVMLError = FakeLibrary.NVMLError
        NVMLError_NotSupported = FakeLibrary.NVMLError_NotSupported
        NVMLError_LibraryNotFound = FakeLibrary.NVMLError_LibraryNotFound
        asked: set[str] = set()  # noqa: RUF012 - one recorder

        def __getattr__(self, name: str) -> Any:
            self.asked.add(name)
            return (lambda *_: SimpleNamespace(gpu=1, total=1, used=1)) if "Get" in name else (lambda *_: 0)

    nvml = Nvml(Recorder("pynvml"))
    for quantity in Quantity:
        try:
            nvml.value(0, quantity)
        except TypeError:  # the recorder's answer is not a number
            continue
    assert len(Recorder.asked) > 10
    assert [name for name in Recorder.asked if not hasattr(pynvml, name)] == []
    assert issubclass(pynvml.NVMLError_NotSupported, pynvml.NVMLError)
    assert issubclass(pynvml.NVMLError_LibraryNotFound, pynvml.NVMLError)


def test_without_the_driver_nobody_asks(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        assert scrape(exposed(NvidiaSource(NvmlFinder(HostTree(tmp_path))))) == {}
    assert caplog.records == []


@pytest.mark.skipif(Path("/proc/driver/nvidia/version").exists(), reason="the driver's library is here")
def test_a_driver_without_its_library_is_told_once_and_absent(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    write_tree(tmp_path, {"proc/driver/nvidia/version": "NVRM version: NVIDIA UNIX Open Kernel Module"})
    registry = exposed(NvidiaSource(NvmlFinder(HostTree(tmp_path))))
    with caplog.at_level(logging.INFO):
        assert scrape(registry) == {}
        assert scrape(registry) == {}
    assert [record.getMessage() for record in caplog.records] == [
        "there is an NVIDIA driver, but its metrics cannot be read"
    ]


@pytest.mark.gpu
@pytest.mark.skipif(not Path("/proc/driver/nvidia/version").exists(), reason="no NVIDIA GPU")
def test_a_real_gpu_is_read() -> None:
    pytest.importorskip("pynvml")
    values = scrape(exposed(NvidiaSource(NvmlFinder(HostTree(Path("/"))))))
    assert values["gpu_memory_size_bytes", ("0",)] > 2**30
    assert 0 <= values["gpu_temperature_celsius", ("0",)] < 120
    assert values["gpu_power_watts", ("0",)] > 0
    assert values["read_errors_total", ("nvidia",)] == 0
