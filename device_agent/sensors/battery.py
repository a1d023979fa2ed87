"""Batteries, and what feeds the machine from outside."""

from dataclasses import dataclass
from pathlib import Path

from device_agent.sensors import families
from device_agent.sensors.host_tree import HostTree, read_label, read_number, read_text
from device_agent.sensors.reading import Reading


@dataclass(frozen=True, slots=True)
class BatterySource:
    """Reads ``/sys/class/power_supply``.

    Attributes:
        tree: The machine.
        name: Of the source.
    """

    tree: HostTree
    name: str = "battery"

    def read(self, reading: Reading) -> None:
        """Note the machine's own supplies; the battery of a mouse is not one."""
        for supply in self.tree.find("sys/class/power_supply/*"):
            with reading.sensor(supply.name):
                kind = read_text(supply / "type")
                if read_label(supply / "scope", "System") == "Device":
                    continue
                if kind == "Battery":
                    self._read_battery(reading, supply)
                elif kind in ("Mains", "USB", "Wireless"):
                    reading.add(families.MAINS_ONLINE, read_number(supply / "online") != 0, supply.name)

    def _read_battery(self, reading: Reading, supply: Path) -> None:
        with reading.sensor(f"{supply.name}/status"):
            discharging = read_text(supply / "status") == "Discharging"
            reading.add(families.BATTERY_DISCHARGING, discharging, supply.name)
        with reading.sensor(f"{supply.name}/capacity"):
            reading.add(families.BATTERY_CHARGE, read_number(supply / "capacity") / 100, supply.name)
        with reading.sensor(f"{supply.name}/power"):
            reading.add(families.BATTERY_POWER, _watts(supply), supply.name)


def _watts(supply: Path) -> float:
    """Drivers disagree about the sign: whether it is drawn or charged is said by the status."""
    try:
        return abs(read_number(supply / "power_now")) / 1e6
    except FileNotFoundError:
        return abs(read_number(supply / "voltage_now") * read_number(supply / "current_now")) / 1e12
