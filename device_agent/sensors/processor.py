"""Time, frequency and load of the processor's cores."""

import os
from dataclasses import dataclass

from device_agent.sensors import families
from device_agent.sensors.host_tree import HostTree, read_number, read_text
from device_agent.sensors.reading import Reading

# Time for guests is part of `user` and `nice` too, and would count twice.
_MODES = ("user", "nice", "system", "idle", "iowait", "irq", "softirq", "steal")
_TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")
_FREQUENCIES = {
    "scaling_cur_freq": families.CPU_FREQUENCY,
    "scaling_max_freq": families.CPU_FREQUENCY_LIMIT,
    "cpuinfo_max_freq": families.CPU_FREQUENCY_MAX,
}


@dataclass(frozen=True, slots=True)
class ProcessorSource:
    """Reads ``/proc/stat``, ``/proc/loadavg`` and cpufreq.

    ``/proc/stat`` is parsed here: psutil numbers the lines, so that with a core switched off, as the power modes of a
    Jetson do, the cores after it would be called by the wrong number.

    Attributes:
        tree: The machine.
        name: Of the source.
    """

    tree: HostTree
    name: str = "cpu"

    def read(self, reading: Reading) -> None:
        """Note the cores that are switched on."""
        with reading.sensor("stat"):
            self._read_times(reading)
        with reading.sensor("loadavg"):
            loads = read_text(self.tree.path("proc/loadavg")).split()
            for minutes, load in zip(("1", "5", "15"), loads[:3], strict=True):
                reading.add(families.LOAD_AVERAGE, float(load), minutes)
        for folder in self.tree.find("sys/devices/system/cpu/cpu[0-9]*/cpufreq"):
            cpu = folder.parent.name.removeprefix("cpu")
            for file, family in _FREQUENCIES.items():
                with reading.sensor(f"{folder.parent.name}/{file}"):
                    reading.add(family, read_number(folder / file) * 1000, cpu)

    def _read_times(self, reading: Reading) -> None:
        for line in read_text(self.tree.path("proc/stat")).splitlines():
            key, *ticks = line.split()
            number = key.removeprefix("cpu")
            if key.startswith("cpu") and number.isdecimal():
                for mode, count in zip(_MODES, ticks, strict=False):
                    reading.add(families.CPU_SECONDS, int(count) / _TICKS_PER_SECOND, number, mode)
