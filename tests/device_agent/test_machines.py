"""What is read of whole made-up machines."""

from pathlib import Path

import pytest
from prometheus_client import generate_latest

from device_agent.sensors.nvidia_gpus import Quantity
from tests.device_agent.exposition import exposed, machine_sources, scrape
from tests.device_agent.machine_trees import cpu_box, jetson_orin, raspberry_pi
from tests.fakes.fake_gpu_driver import FakeGpuDriver

GOLDEN = Path(__file__).parent / "golden"
MACHINES = {"jetson_orin": jetson_orin, "raspberry_pi": raspberry_pi}


@pytest.mark.parametrize("name", MACHINES)
def test_a_board_tells_exactly_this(name: str, tmp_path: Path) -> None:
    text = generate_latest(exposed(*machine_sources(MACHINES[name](tmp_path)))).decode()
    assert text == (GOLDEN / f"{name}.txt").read_text()


def test_a_cpu_box_tells_load_memory_disk_heat_and_power(tmp_path: Path) -> None:
    values = scrape(exposed(*machine_sources(cpu_box(tmp_path))))
    assert values["cpu_seconds_total", ("1", "idle")] == 90.01
    assert values["cpu_frequency_hertz", ("0",)] == 2.4e9
    assert values["load_average", ("1",)] == 0.5
    assert values["memory_available_bytes", ()] == 8_000_000 * 1024
    assert values["swap_used_bytes", ()] == 1_500_000 * 1024
    assert values["filesystem_free_bytes", ("root",)] == 400 * 4096
    assert values["disk_read_bytes_total", ("nvme0n1",)] == 2000 * 512
    assert values["network_received_bytes_total", ("eth0",)] == 123456
    assert values["temperature_celsius", ("coretemp-coretemp.0", "Package id 0")] == 47
    assert values["temperature_critical_celsius", ("coretemp-coretemp.0", "Package id 0")] == 100
    assert values["cpu_thermal_throttles_total", ("0", "package")] == 7
    assert values["cpu_frequency_limited", ("0",)] == 0
    assert values["cpu_energy_joules_total", ("package-0", "intel-rapl:0")] == 5
    assert values["battery_power_watts", ("BAT0",)] == 18
    assert values["battery_charge_ratio", ("BAT0",)] == 0.8
    assert values["battery_discharging", ("BAT0",)] == 1
    assert values["mains_online", ("AC",)] == 1
    assert not any(labels == ("mouse",) for _, labels in values)
    assert sum(value for (name, _), value in values.items() if name == "read_errors_total") == 0


def test_an_empty_machine_tells_nothing_but_its_file_system(tmp_path: Path) -> None:
    values = scrape(exposed(*machine_sources(tmp_path)))
    assert {name for name, _ in values} == {
        "filesystem_size_bytes",
        "filesystem_free_bytes",
        "filesystem_inodes",
        "filesystem_inodes_free",
        "filesystem_read_only",
        "read_errors_total",
    }
    assert {labels for _, labels in values} == {("root",), ("disk",)}


def test_what_a_machine_lacks_is_absent(tmp_path: Path) -> None:
    names = {name for name, _ in scrape(exposed(*machine_sources(raspberry_pi(tmp_path))))}
    assert not [name for name in names if name.startswith(("gpu_", "swap_", "battery_", "power_", "cpu_energy"))]


def test_cores_that_are_off_leave_the_others_their_numbers(tmp_path: Path) -> None:
    root = cpu_box(tmp_path)
    (root / "proc/stat").write_text("cpu 1 1 1 1\ncpu0 100 0 0 0 0 0 0 0\ncpu5 200 0 0 0 0 0 0 0\n")
    values = scrape(exposed(*machine_sources(root)))
    assert values["cpu_seconds_total", ("5", "user")] == 2
    assert ("cpu_seconds_total", ("1", "user")) not in values


def test_the_network_is_that_of_the_machine_and_not_of_the_container(tmp_path: Path) -> None:
    root = cpu_box(tmp_path)
    values = scrape(exposed(*machine_sources(root)))
    interfaces = {labels[0] for name, labels in values if name == "network_sent_bytes_total"}
    assert interfaces == {"eth0", "lo"}


def test_an_nvidia_gpu_is_told_in_base_units(tmp_path: Path) -> None:
    driver = FakeGpuDriver(
        "NVIDIA L4",
        {
            Quantity.UTILIZATION_PERCENT: 37,
            Quantity.MEMORY_USED_BYTES: 1 << 30,
            Quantity.POWER_MILLIWATTS: 71_500,
            Quantity.SM_MEGAHERTZ: 2040,
            Quantity.THROTTLE_BITS: 0x41,
        },
    )
    values = scrape(exposed(*machine_sources(tmp_path, lambda: driver)))
    assert values["gpu_info", ("0", "NVIDIA L4")] == 1
    assert values["gpu_utilization_ratio", ("0",)] == pytest.approx(0.37)
    assert values["gpu_memory_used_bytes", ("0",)] == 1 << 30
    assert values["gpu_power_watts", ("0",)] == pytest.approx(71.5)
    assert values["gpu_frequency_hertz", ("sm", "0")] == 2.04e9
    assert values["gpu_throttled", ("0", "hardware_thermal")] == 1
    assert values["gpu_throttled", ("0", "power_limit")] == 0
    assert ("gpu_temperature_celsius", ("0",)) not in values
    assert values["read_errors_total", ("nvidia",)] == 0
