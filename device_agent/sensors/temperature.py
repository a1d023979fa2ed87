"""Temperatures of thermal zones and monitoring chips."""

from dataclasses import dataclass
from pathlib import Path

from device_agent.sensors import families
from device_agent.sensors.chips import channel, chip_folders, chip_name
from device_agent.sensors.host_tree import HostTree, read_label, read_number, read_text
from device_agent.sensors.reading import Reading, SensorFault


@dataclass(frozen=True, slots=True)
class TemperatureSource:
    """Reads ``/sys/class/thermal`` and ``/sys/class/hwmon``.

    Attributes:
        tree: The machine.
        name: Of the source.
    """

    tree: HostTree
    name: str = "temperature"

    def read(self, reading: Reading) -> None:
        """Note every sensor that answers."""
        for zone in self.tree.find("sys/class/thermal/thermal_zone*"):
            with reading.sensor(zone.name):
                label = read_label(zone / "type", zone.name)
                reading.add(families.TEMPERATURE, read_number(zone / "temp") / 1000, zone.name, label)
                self._read_trip_points(reading, zone, label)
        for folder in chip_folders(self.tree):
            for path in self.tree.find(str(folder.relative_to(self.tree.root) / "temp*_input")):
                with reading.sensor(f"{folder.name}/{path.name}"):
                    self._read_chip(reading, folder, path)

    def _read_trip_points(self, reading: Reading, zone: Path, label: str) -> None:
        for kind in self.tree.find(str(zone.relative_to(self.tree.root) / "trip_point_*_type")):
            with reading.sensor(f"{zone.name}/{kind.name}"):
                if read_text(kind) == "critical":
                    limit = read_number(kind.with_name(kind.name.replace("_type", "_temp")))
                    reading.add(families.TEMPERATURE_CRITICAL, limit / 1000, zone.name, label)

    def _read_chip(self, reading: Reading, folder: Path, path: Path) -> None:
        sensor = channel(path)
        if read_label(folder / f"{sensor}_fault", "0") == "1":
            raise SensorFault(f"{path} says that its sensor is broken or missing")
        chip, label = chip_name(folder), read_label(folder / f"{sensor}_label", sensor)
        reading.add(families.TEMPERATURE, read_number(path) / 1000, chip, label)
        with reading.sensor(f"{folder.name}/{sensor}_crit"):
            reading.add(families.TEMPERATURE_CRITICAL, read_number(folder / f"{sensor}_crit") / 1000, chip, label)
