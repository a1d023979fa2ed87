"""Every metric of the agent: name, type, meaning, labels. docs/guides/device-metrics.md repeats them."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Family:
    """One metric.

    Attributes:
        name: With its unit; of a counter, with ``_total``.
        kind: Whether it only grows.
        help: One line for Prometheus.
        labels: Names of its labels.
    """

    name: str
    kind: Literal["gauge", "counter"]
    help: str
    labels: tuple[str, ...] = ()


def _gauge(name: str, text: str, *labels: str) -> Family:
    return Family(f"outpost_device_{name}", "gauge", text, labels)


def _counter(name: str, text: str, *labels: str) -> Family:
    return Family(f"outpost_device_{name}_total", "counter", text, labels)


INFO = _gauge("info", "1; the labels say what machine this is", "model", "architecture", "kernel")

CPU_SECONDS = _counter("cpu_seconds", "Time that a core spent in a mode", "cpu", "mode")
CPU_FREQUENCY = _gauge("cpu_frequency_hertz", "Frequency of a core", "cpu")
CPU_FREQUENCY_LIMIT = _gauge("cpu_frequency_limit_hertz", "Frequency that a core may reach at the moment", "cpu")
CPU_FREQUENCY_MAX = _gauge("cpu_frequency_max_hertz", "Frequency that a core can reach by its design", "cpu")
LOAD_AVERAGE = _gauge("load_average", "Tasks that run or wait to, mean of so many minutes", "minutes")

MEMORY_SIZE = _gauge("memory_size_bytes", "Main memory of the machine")
MEMORY_AVAILABLE = _gauge("memory_available_bytes", "Memory that programs can still get without swapping")
SWAP_SIZE = _gauge("swap_size_bytes", "Swap space")
SWAP_USED = _gauge("swap_used_bytes", "Swap space in use")

FILESYSTEM_SIZE = _gauge("filesystem_size_bytes", "Size of a file system", "filesystem")
FILESYSTEM_FREE = _gauge("filesystem_free_bytes", "Space that ordinary users can still fill", "filesystem")
FILESYSTEM_INODES = _gauge("filesystem_inodes", "How many files a file system can hold", "filesystem")
FILESYSTEM_INODES_FREE = _gauge("filesystem_inodes_free", "How many more files can be made", "filesystem")
FILESYSTEM_READ_ONLY = _gauge("filesystem_read_only", "1 while a file system takes no more writes", "filesystem")
DISK_READ = _counter("disk_read_bytes", "Bytes read from a disk", "device")
DISK_WRITTEN = _counter("disk_written_bytes", "Bytes written to a disk", "device")
DISK_BUSY = _counter("disk_busy_seconds", "Time that a disk had work to do", "device")

NETWORK_RECEIVED = _counter("network_received_bytes", "Bytes received", "interface")
NETWORK_SENT = _counter("network_sent_bytes", "Bytes sent", "interface")
NETWORK_RECEIVE_ERRORS = _counter("network_receive_errors", "Packets received damaged", "interface")
NETWORK_SEND_ERRORS = _counter("network_send_errors", "Packets that could not be sent", "interface")

TEMPERATURE = _gauge("temperature_celsius", "Temperature at a sensor", "chip", "sensor")
TEMPERATURE_CRITICAL = _gauge(
    "temperature_critical_celsius", "Temperature at which the machine protects itself", "chip", "sensor"
)

CPU_THERMAL_THROTTLES = _counter("cpu_thermal_throttles", "How often heat slowed a core down", "cpu", "scope")
CPU_FREQUENCY_LIMITED = _gauge("cpu_frequency_limited", "1 while a core is kept below its highest frequency", "cpu")
THROTTLED = _gauge("throttled", "1 while the board slows itself down, or says why it might", "reason")
THROTTLED_SINCE_BOOT = _gauge("throttled_since_boot", "1 if that happened since the board started", "reason")
OVERCURRENT_EVENTS = _counter("overcurrent_events", "How often too high a current slowed the board down", "event")
COOLING_LEVEL = _gauge("cooling_level_ratio", "How far a fan or a throttle is up; 1: fully", "device", "type")

CPU_ENERGY = _counter("cpu_energy_joules", "Energy that a part of the processor took (RAPL)", "zone", "part")
POWER = _gauge("power_watts", "Power through a rail", "chip", "rail")
MAINS_ONLINE = _gauge("mains_online", "1 while a supply from outside feeds the machine", "supply")
BATTERY_CHARGE = _gauge("battery_charge_ratio", "Charge of a battery; 1: full", "supply")
BATTERY_POWER = _gauge("battery_power_watts", "Power into or out of a battery", "supply")
BATTERY_DISCHARGING = _gauge("battery_discharging", "1 while a battery feeds the machine", "supply")
POWER_MODE = _gauge("power_mode_info", "1; the label is the power mode of the board (nvpmodel)", "mode")

GPU_INFO = _gauge("gpu_info", "1; the labels say what GPU this is", "gpu", "name")
GPU_UTILIZATION = _gauge("gpu_utilization_ratio", "Share of time with work on a GPU", "gpu")
GPU_MEMORY_SIZE = _gauge("gpu_memory_size_bytes", "Memory of a GPU", "gpu")
GPU_MEMORY_USED = _gauge("gpu_memory_used_bytes", "Memory of a GPU in use", "gpu")
GPU_TEMPERATURE = _gauge("gpu_temperature_celsius", "Temperature of a GPU", "gpu")
GPU_POWER = _gauge("gpu_power_watts", "Power of a GPU", "gpu")
GPU_POWER_LIMIT = _gauge("gpu_power_limit_watts", "Power that a GPU keeps below", "gpu")
GPU_ENERGY = _counter("gpu_energy_joules", "Energy that a GPU took since its driver was loaded", "gpu")
GPU_FREQUENCY = _gauge("gpu_frequency_hertz", "Frequency of a GPU", "gpu", "clock")
GPU_FREQUENCY_MAX = _gauge("gpu_frequency_max_hertz", "Frequency that a GPU can reach", "gpu", "clock")
GPU_THROTTLED = _gauge("gpu_throttled", "1 while a GPU is slowed down for this reason", "gpu", "reason")

READ_ERRORS = _counter("read_errors", "Sensors that were there and could not be read", "source")

FAMILIES: tuple[Family, ...] = tuple(value for value in tuple(globals().values()) if isinstance(value, Family))
