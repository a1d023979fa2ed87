"""Energy of the processor, and power through the rails of the board."""

from dataclasses import dataclass, field
from pathlib import Path

from device_agent.sensors import families
from device_agent.sensors.chips import channel, chip_folders, chip_name
from device_agent.sensors.energy_counters import EnergyCounters
from device_agent.sensors.host_tree import HostTree, read_label, read_number, read_text
from device_agent.sensors.reading import Reading

# It tells voltage and current of a rail, and leaves the product to the reader. Its channels without a label are shunts
# and sums, whose numbers do not go together.
_VOLTS_AND_AMPERES = "ina3221"


@dataclass(frozen=True, slots=True)
class PowerSource:
    """Reads ``/sys/class/powercap`` (RAPL), hwmon, and the INA3221 driver of old Jetsons.

    Attributes:
        tree: The machine.
        name: Of the source.
        counters: What RAPL showed before.
    """

    tree: HostTree
    name: str = "power"
    counters: EnergyCounters = field(default_factory=EnergyCounters)

    def read(self, reading: Reading) -> None:
        """Note every rail and zone that answers."""
        for zone in self.tree.find("sys/class/powercap/intel-rapl:*"):
            with reading.sensor(f"{zone.name}/energy_uj"):
                self._read_zone(reading, zone)
        for folder in chip_folders(self.tree):
            self._read_chip(reading, folder)
        for label in self.tree.find("sys/bus/i2c/drivers/ina3221x/*/iio:device*/rail_name_*"):
            device, number = label.parent, label.name.removeprefix("rail_name_")
            with reading.sensor(f"{device.name}/in_power{number}_input"):
                milliwatts = read_number(device / f"in_power{number}_input")
                reading.add(families.POWER, milliwatts / 1e3, f"ina3221x-{device.parent.name}", read_text(label))

    def _read_zone(self, reading: Reading, zone: Path) -> None:
        microjoules = read_number(zone / "energy_uj")
        total = self.counters.total(zone.name, microjoules, lambda: read_number(zone / "max_energy_range_uj"))
        reading.add(families.CPU_ENERGY, total / 1e6, zone.name, read_label(zone / "name", zone.name))

    def _read_chip(self, reading: Reading, folder: Path) -> None:
        inside = str(folder.relative_to(self.tree.root))
        rails = self.tree.find(f"{inside}/power*_input") or self.tree.find(f"{inside}/power*_average")
        for path in rails:
            with reading.sensor(f"{folder.name}/{path.name}"):
                rail = read_label(folder / f"{channel(path)}_label", channel(path))
                reading.add(families.POWER, read_number(path) / 1e6, chip_name(folder), rail)
        if rails:
            return
        for path in self.tree.find(f"{inside}/curr*_input"):
            with reading.sensor(f"{folder.name}/{path.name}"):
                self._read_volts_and_amperes(reading, folder, path)

    def _read_volts_and_amperes(self, reading: Reading, folder: Path, current: Path) -> None:
        voltage = channel(current).replace("curr", "in")
        if (
            read_label(folder / "name", "") != _VOLTS_AND_AMPERES
            or read_label(folder / f"{voltage}_enable", "1") == "0"
            or not (label := read_label(folder / f"{voltage}_label", ""))
        ):
            return
        microwatts = read_number(folder / f"{voltage}_input") * read_number(current)
        reading.add(families.POWER, microwatts / 1e6, chip_name(folder), label)
