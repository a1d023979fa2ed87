"""Every source of a machine, in the order that they are read in."""

from collections.abc import Callable
from pathlib import Path

from device_agent.sensors.battery import BatterySource
from device_agent.sensors.file_systems import FileSystem, measure_file_system
from device_agent.sensors.host_tree import HostTree
from device_agent.sensors.identity import IdentitySource
from device_agent.sensors.jetson import JetsonSource
from device_agent.sensors.memory import MemorySource
from device_agent.sensors.network import NetworkSource
from device_agent.sensors.nvidia_gpus import GpuDriver, NvidiaSource
from device_agent.sensors.nvml import NvmlFinder
from device_agent.sensors.power import PowerSource
from device_agent.sensors.processor import ProcessorSource
from device_agent.sensors.reading import Source
from device_agent.sensors.storage import StorageSource
from device_agent.sensors.temperature import TemperatureSource
from device_agent.sensors.throttling import ThrottlingSource


def sources_of(
    tree: HostTree,
    state_dir: Path,
    *,
    measure: Callable[[Path], FileSystem] = measure_file_system,
    find_gpu_driver: Callable[[], GpuDriver | None] | None = None,
) -> tuple[Source, ...]:
    """What is read in a scrape; a source whose hardware is not there reads nothing.

    Args:
        tree: The machine.
        state_dir: The gateway's state folder, as this process sees it.
        measure: Asks the operating system about a folder's file system.
        find_gpu_driver: Instead of NVML.
    """
    return (
        IdentitySource(tree),
        ProcessorSource(tree),
        MemorySource(tree),
        StorageSource(tree, {"root": tree.root, "state": state_dir}, measure),
        NetworkSource(tree),
        TemperatureSource(tree),
        ThrottlingSource(tree),
        PowerSource(tree),
        BatterySource(tree),
        JetsonSource(tree),
        NvidiaSource(find_gpu_driver or NvmlFinder(tree)),
    )
