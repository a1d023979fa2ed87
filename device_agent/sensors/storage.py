"""File systems and disks."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from device_agent.sensors import families
from device_agent.sensors.file_systems import FileSystem, measure_file_system
from device_agent.sensors.host_tree import HostTree
from device_agent.sensors.procfs import psutil_at
from device_agent.sensors.reading import Reading

# Not hardware, or memory that is counted as such.
_VIRTUAL = ("loop", "ram", "zram")


@dataclass(frozen=True, slots=True)
class StorageSource:
    """Asks the file systems, and psutil about the disks.

    Attributes:
        tree: The machine.
        folders: By the label ``filesystem``: a folder on it.
        measure: Asks the operating system about a folder's file system.
        name: Of the source.
    """

    tree: HostTree
    folders: Mapping[str, Path]
    measure: Callable[[Path], FileSystem] = measure_file_system
    name: str = "disk"

    def read(self, reading: Reading) -> None:
        """Note what is there; a folder that nobody made yet is not."""
        for label, folder in self.folders.items():
            with reading.sensor(f"filesystem {label}"):
                self._read_file_system(reading, label, self.measure(folder))
        diskstats = self.tree.path("proc/diskstats")
        if diskstats.exists():
            with reading.sensor("diskstats"):
                self._read_disks(reading)

    def _read_file_system(self, reading: Reading, label: str, found: FileSystem) -> None:
        values = {
            families.FILESYSTEM_SIZE: found.size_bytes,
            families.FILESYSTEM_FREE: found.free_bytes,
            families.FILESYSTEM_INODES: found.inodes,
            families.FILESYSTEM_INODES_FREE: found.inodes_free,
            families.FILESYSTEM_READ_ONLY: found.read_only,
        }
        for family, value in values.items():
            if value is not None:
                reading.add(family, value, label)

    def _read_disks(self, reading: Reading) -> None:
        whole = {path.name for path in self.tree.find("sys/block/*")}
        with psutil_at(self.tree.path("proc")) as psutil:
            disks = psutil.disk_io_counters(perdisk=True, nowrap=False)
        for device, counters in disks.items():
            if device.replace("/", "!") in whole and not device.startswith(_VIRTUAL):
                reading.add(families.DISK_READ, counters.read_bytes, device)
                reading.add(families.DISK_WRITTEN, counters.write_bytes, device)
                reading.add(families.DISK_BUSY, counters.busy_time / 1000, device)
