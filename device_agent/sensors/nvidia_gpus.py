"""NVIDIA GPUs with a driver of their own."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Protocol

from device_agent.sensors import families
from device_agent.sensors.families import Family
from device_agent.sensors.reading import Reading


class Quantity(Enum):
    """What is asked of a GPU, in the unit of NVML."""

    UTILIZATION_PERCENT = "utilization"
    MEMORY_SIZE_BYTES = "memory size"
    MEMORY_USED_BYTES = "memory used"
    TEMPERATURE_CELSIUS = "temperature"
    POWER_MILLIWATTS = "power"
    POWER_LIMIT_MILLIWATTS = "power limit"
    ENERGY_MILLIJOULES = "energy"
    SM_MEGAHERTZ = "sm clock"
    MEMORY_MEGAHERTZ = "memory clock"
    SM_MAX_MEGAHERTZ = "highest sm clock"
    THROTTLE_BITS = "throttle reasons"


class GpuDriver(Protocol):
    """Answers about the GPUs of a machine. Its errors are :class:`OSError`."""

    def names(self) -> list[str]:
        """What each GPU is called; the position is its number.

        Raises:
            OSError: The driver does not answer.
        """

    def value(self, gpu: int, quantity: Quantity) -> float | None:
        """One value; None where this GPU does not know it.

        Raises:
            OSError: It should, but does not answer.
        """


_VALUES: dict[Quantity, tuple[Family, float, tuple[str, ...]]] = {
    Quantity.UTILIZATION_PERCENT: (families.GPU_UTILIZATION, 1e-2, ()),
    Quantity.MEMORY_SIZE_BYTES: (families.GPU_MEMORY_SIZE, 1.0, ()),
    Quantity.MEMORY_USED_BYTES: (families.GPU_MEMORY_USED, 1.0, ()),
    Quantity.TEMPERATURE_CELSIUS: (families.GPU_TEMPERATURE, 1.0, ()),
    Quantity.POWER_MILLIWATTS: (families.GPU_POWER, 1e-3, ()),
    Quantity.POWER_LIMIT_MILLIWATTS: (families.GPU_POWER_LIMIT, 1e-3, ()),
    Quantity.ENERGY_MILLIJOULES: (families.GPU_ENERGY, 1e-3, ()),
    Quantity.SM_MEGAHERTZ: (families.GPU_FREQUENCY, 1e6, ("sm",)),
    Quantity.MEMORY_MEGAHERTZ: (families.GPU_FREQUENCY, 1e6, ("memory",)),
    Quantity.SM_MAX_MEGAHERTZ: (families.GPU_FREQUENCY_MAX, 1e6, ("sm",)),
}
# Bits of nvmlClocksEventReasons; those for an idle GPU or one that its user set lower are no throttling.
_THROTTLE_REASONS = {
    0x4: "power_limit",
    0x8: "hardware_slowdown",
    0x20: "software_thermal",
    0x40: "hardware_thermal",
    0x80: "power_brake",
}


@dataclass(slots=True)
class NvidiaSource:
    """Asks the driver where there is one.

    Attributes:
        find_driver: Gives the driver, or None where the machine has none; asked again until it gives one.
        name: Of the source.
    """

    find_driver: Callable[[], GpuDriver | None]
    name: str = "nvidia"
    _driver: GpuDriver | None = None

    def read(self, reading: Reading) -> None:
        """Note every GPU; a value that a GPU does not know is left out."""
        with reading.sensor("driver"):
            if self._driver is None:
                self._driver = self.find_driver()
            if self._driver is None:
                return
            try:
                names = self._driver.names()
            except OSError:
                # A driver that was loaded anew does not know who asked the one before.
                self._driver = None
                raise
            for number, name in enumerate(names):
                reading.add(families.GPU_INFO, 1, str(number), name)
                self._read_gpu(reading, self._driver, number)

    def _read_gpu(self, reading: Reading, driver: GpuDriver, number: int) -> None:
        for quantity, (family, unit, labels) in _VALUES.items():
            with reading.sensor(f"gpu {number} {quantity.value}"):
                value = driver.value(number, quantity)
                if value is not None:
                    reading.add(family, value * unit, str(number), *labels)
        with reading.sensor(f"gpu {number} {Quantity.THROTTLE_BITS.value}"):
            bits = driver.value(number, Quantity.THROTTLE_BITS)
            if bits is not None:
                for bit, reason in _THROTTLE_REASONS.items():
                    reading.add(families.GPU_THROTTLED, bool(int(bits) & bit), str(number), reason)
