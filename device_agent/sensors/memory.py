"""Main memory and swap."""

from dataclasses import dataclass

from device_agent.sensors import families
from device_agent.sensors.host_tree import HostTree
from device_agent.sensors.procfs import psutil_at
from device_agent.sensors.reading import Reading


@dataclass(frozen=True, slots=True)
class MemorySource:
    """Asks psutil, of the machine and not of the container.

    Attributes:
        tree: The machine.
        name: Of the source.
    """

    tree: HostTree
    name: str = "memory"

    def read(self, reading: Reading) -> None:
        """Note memory; swap only where there is some."""
        procfs = self.tree.path("proc")
        with reading.sensor("meminfo"), psutil_at(procfs) as psutil:
            memory = psutil.virtual_memory()
            reading.add(families.MEMORY_SIZE, memory.total)
            reading.add(families.MEMORY_AVAILABLE, memory.available)
        if not (procfs / "vmstat").exists():
            return
        with reading.sensor("swap"), psutil_at(procfs) as psutil:
            swap = psutil.swap_memory()
            if swap.total:
                reading.add(families.SWAP_SIZE, swap.total)
                reading.add(families.SWAP_USED, swap.used)
