"""GPU and power mode of a Jetson, which has no NVML, or one that knows little."""

import re
from dataclasses import dataclass

from device_agent.sensors import families
from device_agent.sensors.host_tree import HostTree, read_number, read_text
from device_agent.sensors.reading import Reading

# The name of the device is `gpu`, or its chip: Nano, TX1, TX2, Xavier, Orin.
_GPU = re.compile(r"\d+\.(gpu|gk20a|gm20b|gp10b|gv11b|ga10b)")
_LOAD_FILES = (
    "sys/devices/gpu.0/load",
    "sys/devices/platform/gpu.0/load",
    "sys/devices/platform/*.g[akmpv]*/load",
    "sys/devices/platform/*/*.gpu/load",
)
_MODE = re.compile(r"<\s*POWER_MODEL\s+ID=(\d+)\s+NAME=([^\s>]+)\s*>")
_CHOSEN_MODE = re.compile(r"pmode:\s*(\d+)")


@dataclass(frozen=True, slots=True)
class JetsonSource:
    """Reads devfreq, the GPU's load, and nvpmodel's files; none of them needs root.

    Attributes:
        tree: The machine.
        name: Of the source.
    """

    tree: HostTree
    name: str = "jetson"

    def read(self, reading: Reading) -> None:
        """Note the GPU and the mode; another machine has neither."""
        gpu = self._read_frequency(reading)
        self._read_load(reading, gpu)
        with reading.sensor("nvpmodel"):
            self._read_mode(reading)

    def _read_frequency(self, reading: Reading) -> str:
        gpu = "gpu"
        for folder in self.tree.find("sys/class/devfreq/*"):
            if not _GPU.fullmatch(folder.name):
                continue
            gpu = folder.name
            with reading.sensor(f"{gpu}/cur_freq"):
                reading.add(families.GPU_FREQUENCY, read_number(folder / "cur_freq"), gpu, "graphics")
            with reading.sensor(f"{gpu}/max_freq"):
                reading.add(families.GPU_FREQUENCY_MAX, read_number(folder / "max_freq"), gpu, "graphics")
        return gpu

    def _read_load(self, reading: Reading, gpu: str) -> None:
        by_devfreq = f"sys/class/devfreq/{gpu}/device/load"
        for path in (path for pattern in (by_devfreq, *_LOAD_FILES) for path in self.tree.find(pattern)):
            with reading.sensor("load"):
                reading.add(families.GPU_UTILIZATION, read_number(path) / 1000, gpu)
            return

    def _read_mode(self, reading: Reading) -> None:
        modes = dict(_MODE.findall(_uncommented(read_text(self.tree.path("etc/nvpmodel.conf")))))
        chosen = _CHOSEN_MODE.search(read_text(self.tree.path("var/lib/nvpmodel/status")))
        if chosen is None:
            raise ValueError("nvpmodel's status names no mode")
        names = {int(number): name for number, name in modes.items()}
        number = int(chosen[1])
        reading.add(families.POWER_MODE, 1, names.get(number, str(number)))


def _uncommented(text: str) -> str:
    return "\n".join(line for line in text.splitlines() if not line.lstrip().startswith("#"))
