"""What machine this is."""

import platform
from dataclasses import dataclass

from device_agent.sensors import families
from device_agent.sensors.host_tree import HostTree, read_label
from device_agent.sensors.reading import Reading

# The first is what /proc/device-tree links to, by an absolute path that a container hides.
_MODEL_FILES = (
    "sys/firmware/devicetree/base/model",
    "proc/device-tree/model",
    "sys/devices/virtual/dmi/id/product_name",
)


@dataclass(frozen=True, slots=True)
class IdentitySource:
    """Reads the device tree or the firmware's tables.

    Attributes:
        tree: The machine.
        architecture: As the kernel calls it.
        name: Of the source.
    """

    tree: HostTree
    architecture: str = platform.machine()
    name: str = "identity"

    def read(self, reading: Reading) -> None:
        """Note the model; empty where the machine does not tell."""
        with reading.sensor("model"):
            models = (read_label(self.tree.path(file), "") for file in _MODEL_FILES)
            model = next((model for model in models if model), "")
            kernel = read_label(self.tree.path("proc/sys/kernel/osrelease"), "")
            if model or kernel:
                reading.add(families.INFO, 1, model, self.architecture, kernel)
