"""What the agent says about a made-up machine."""

from collections.abc import Callable
from pathlib import Path

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from device_agent.sensors.device_collector import DeviceCollector
from device_agent.sensors.file_systems import FileSystem
from device_agent.sensors.host_tree import HostTree
from device_agent.sensors.identity import IdentitySource
from device_agent.sensors.nvidia_gpus import GpuDriver
from device_agent.sensors.reading import Source
from device_agent.sensors.sources import sources_of

Values = dict[tuple[str, tuple[str, ...]], float]


def same_file_system(folder: Path) -> FileSystem:
    """Every folder that is there is on a file system of 1,000 blocks."""
    if not folder.exists():
        raise FileNotFoundError(folder)
    return FileSystem(4096 * 1000, 4096 * 400, inodes=256, inodes_free=128, read_only=False)


def machine_sources(root: Path, find_gpu_driver: Callable[[], GpuDriver | None] | None = None) -> tuple[Source, ...]:
    """All sources of a tree; its architecture is not that of the machine that the test runs on."""
    tree = HostTree(root)
    found = sources_of(tree, root / "state", measure=same_file_system, find_gpu_driver=find_gpu_driver)
    return (IdentitySource(tree, "made-up"), *found[1:])


def exposed(*sources: Source, read_timeout_seconds: float = 10.0) -> CollectorRegistry:
    """A registry that shows these sources."""
    registry = CollectorRegistry()
    registry.register(DeviceCollector(sources, read_timeout_seconds))
    return registry


def scrape(registry: CollectorRegistry) -> Values:
    """Values by name without the prefix, and label values in the order of the labels' names, as a scrape tells."""
    return parse(generate_latest(registry).decode())


def parse(text: str) -> Values:
    """Values of an exposition."""
    return {
        (sample.name.removeprefix("outpost_device_"), tuple(sample.labels.values())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }
