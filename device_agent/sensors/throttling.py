"""Whether the machine is slowed down: by heat, by too little voltage, by too much current."""

from dataclasses import dataclass

from device_agent.sensors import families
from device_agent.sensors.chips import channel, chip_folders
from device_agent.sensors.host_tree import HostTree, read_label, read_number, read_text
from device_agent.sensors.reading import Reading

# Bits of the Raspberry Pi's firmware; 16 bits higher: since it was started.
_PI_REASONS = ("under_voltage", "frequency_capped", "throttled", "soft_temperature_limit")
_SINCE_BOOT = 16
_PI_VOLTAGE_CHIP = "rpi_volt"


@dataclass(frozen=True, slots=True)
class ThrottlingSource:
    """Reads the kernel's counters, cpufreq, cooling devices, and what a Raspberry Pi or a Jetson adds.

    Attributes:
        tree: The machine.
        name: Of the source.
    """

    tree: HostTree
    name: str = "throttling"

    def read(self, reading: Reading) -> None:
        """Note what this machine counts."""
        self._read_counts(reading)
        self._read_frequency_limits(reading)
        self._read_cooling_devices(reading)
        self._read_raspberry_pi(reading)
        for path in self.tree.find("sys/class/hwmon/hwmon*/oc*_event_cnt"):
            with reading.sensor(f"{path.parent.name}/{path.name}"):
                reading.add(families.OVERCURRENT_EVENTS, read_number(path), channel(path))

    def _read_counts(self, reading: Reading) -> None:
        for folder in self.tree.find("sys/devices/system/cpu/cpu[0-9]*/thermal_throttle"):
            cpu = folder.parent.name.removeprefix("cpu")
            for scope in ("core", "package"):
                with reading.sensor(f"{folder.parent.name}/{scope}"):
                    count = read_number(folder / f"{scope}_throttle_count")
                    reading.add(families.CPU_THERMAL_THROTTLES, count, cpu, scope)

    def _read_frequency_limits(self, reading: Reading) -> None:
        for folder in self.tree.find("sys/devices/system/cpu/cpu[0-9]*/cpufreq"):
            with reading.sensor(f"{folder.parent.name}/cpufreq"):
                limited = read_number(folder / "scaling_max_freq") < read_number(folder / "cpuinfo_max_freq")
                reading.add(families.CPU_FREQUENCY_LIMITED, limited, folder.parent.name.removeprefix("cpu"))

    def _read_cooling_devices(self, reading: Reading) -> None:
        for device in self.tree.find("sys/class/thermal/cooling_device*"):
            with reading.sensor(device.name):
                highest = read_number(device / "max_state")
                if highest > 0:
                    level = read_number(device / "cur_state") / highest
                    kind = read_label(device / "type", device.name)
                    reading.add(families.COOLING_LEVEL, level, device.name.removeprefix("cooling_device"), kind)

    def _read_raspberry_pi(self, reading: Reading) -> None:
        for path in self.tree.find("sys/devices/platform/soc*/*firmware/get_throttled"):
            with reading.sensor("get_throttled"):
                bits = int(read_text(path), 16)
                for bit, reason in enumerate(_PI_REASONS):
                    reading.add(families.THROTTLED, bits >> bit & 1, reason)
                    reading.add(families.THROTTLED_SINCE_BOOT, bits >> (bit + _SINCE_BOOT) & 1, reason)
                return
        for folder in chip_folders(self.tree):
            with reading.sensor(f"{folder.name}/in0_lcrit_alarm"):
                if read_label(folder / "name", "") == _PI_VOLTAGE_CHIP:
                    reading.add(families.THROTTLED, read_number(folder / "in0_lcrit_alarm"), _PI_REASONS[0])
