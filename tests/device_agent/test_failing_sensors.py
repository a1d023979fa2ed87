"""One bad sensor costs nobody else anything."""

import errno
import logging
import os
import time
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from device_agent.sensors.host_tree import HostTree
from device_agent.sensors.nvidia_gpus import NvidiaSource, Quantity
from device_agent.sensors.power import PowerSource
from device_agent.sensors.reading import Reading
from device_agent.sensors.temperature import TemperatureSource
from tests.device_agent.exposition import exposed, machine_sources, scrape
from tests.device_agent.machine_trees import cpu_box, jetson_orin, raspberry_pi, write_tree
from tests.fakes.fake_gpu_driver import FakeGpuDriver

CPU_ZONE = ("temperature_celsius", ("thermal_zone0", "cpu-thermal"))
GPU_ZONE = ("temperature_celsius", ("thermal_zone1", "gpu-thermal"))
ERRORS = ("read_errors_total", ("temperature",))


def _jetson(root: Path) -> tuple[CollectorRegistry, Path]:
    registry = exposed(*machine_sources(jetson_orin(root)))
    return registry, root / "sys/class/thermal/thermal_zone1/temp"


def test_a_sensor_that_fails_once_is_absent_once_and_counted(tmp_path: Path) -> None:
    registry, sensor = _jetson(tmp_path)
    assert scrape(registry)[ERRORS] == 0
    sensor.write_text("")
    broken = scrape(registry)
    assert GPU_ZONE not in broken
    assert CPU_ZONE in broken
    assert broken[ERRORS] == 1
    sensor.write_text("52000\n")
    mended = scrape(registry)
    assert mended[GPU_ZONE] == 52
    assert mended[ERRORS] == 1


def test_an_error_of_the_operating_system_costs_only_its_sensor(tmp_path: Path) -> None:
    registry, sensor = _jetson(tmp_path)
    sensor.unlink()
    sensor.mkdir()
    values = scrape(registry)
    assert GPU_ZONE not in values
    assert values[CPU_ZONE] == 51.25
    assert values[ERRORS] == 1


def test_a_sensor_that_was_taken_away_is_absent_and_no_error(tmp_path: Path) -> None:
    registry, sensor = _jetson(tmp_path)
    sensor.unlink()
    values = scrape(registry)
    assert GPU_ZONE not in values
    assert values[ERRORS] == 0


def test_a_sensor_that_says_it_is_broken_is_not_believed(tmp_path: Path) -> None:
    folder = "sys/class/hwmon/hwmon0"
    root = write_tree(
        tmp_path, {f"{folder}/name": "w1", f"{folder}/temp1_input": "-127000", f"{folder}/temp1_fault": "1"}
    )
    values = scrape(exposed(TemperatureSource(HostTree(root))))
    assert values == {ERRORS: 1}


def test_what_this_user_may_not_see_is_told_once_and_is_no_error(caplog: pytest.LogCaptureFixture) -> None:
    class Forbidden:
        name = "power"

        def read(self, reading: Reading) -> None:
            with reading.sensor("intel-rapl:0"):
                raise PermissionError(errno.EACCES, "Permission denied", "energy_uj")

    registry = exposed(Forbidden())
    with caplog.at_level(logging.INFO):
        assert scrape(registry) == {}
        assert scrape(registry) == {}
    assert [record.getMessage() for record in caplog.records] == ["a sensor is not readable for this user"]


def test_a_source_with_a_mistake_costs_only_itself(tmp_path: Path) -> None:
    class Mistaken:
        name = "mistaken"

        def read(self, reading: Reading) -> None:
            raise AttributeError(reading.source)

    values = scrape(exposed(Mistaken(), *machine_sources(raspberry_pi(tmp_path))))
    assert values["read_errors_total", ("mistaken",)] == 1
    assert CPU_ZONE in values


def test_a_bus_without_an_answer_is_not_waited_for(tmp_path: Path) -> None:
    root = jetson_orin(tmp_path)
    sensor = root / "sys/class/thermal/thermal_zone1/temp"
    sensor.unlink()
    os.mkfifo(sensor)  # reading it waits until somebody writes
    registry = exposed(*machine_sources(root), read_timeout_seconds=0.5)
    first = scrape(registry)
    began = time.monotonic()
    second = scrape(registry)
    assert time.monotonic() - began < 0.5
    assert CPU_ZONE not in first
    assert CPU_ZONE not in second
    assert (first[ERRORS], second[ERRORS]) == (1, 2)
    assert first["power_watts", ("ina3221-1-0040", "VDD_IN")] == pytest.approx(7.9488)
    sensor.write_text("50000\n")
    sensor.unlink()
    sensor.write_text("53000\n")
    end = time.monotonic() + 10
    while GPU_ZONE not in (values := scrape(registry)) and time.monotonic() < end:
        time.sleep(0.05)
    assert values[GPU_ZONE] == 53


def test_a_gpu_that_fails_to_answer_costs_one_value(tmp_path: Path) -> None:
    driver = FakeGpuDriver(
        "L4", {Quantity.TEMPERATURE_CELSIUS: OSError("GPU is lost"), Quantity.POWER_MILLIWATTS: 30_000}, count=2
    )
    values = scrape(exposed(NvidiaSource(lambda: driver)))
    assert values["gpu_power_watts", ("1",)] == 30
    assert ("gpu_temperature_celsius", ("0",)) not in values
    assert values["read_errors_total", ("nvidia",)] == 2


def test_a_driver_that_does_not_open_is_tried_again() -> None:
    answers: list[OSError | FakeGpuDriver] = [OSError("driver and library do not fit"), FakeGpuDriver("L4", {})]

    def find() -> FakeGpuDriver:
        answer = answers.pop(0)
        if isinstance(answer, OSError):
            raise answer
        return answer

    registry = exposed(NvidiaSource(find))
    assert scrape(registry) == {("read_errors_total", ("nvidia",)): 1}
    assert scrape(registry)["gpu_info", ("0", "L4")] == 1


def test_an_energy_counter_that_runs_over_goes_on_growing(tmp_path: Path) -> None:
    root = cpu_box(tmp_path)
    zone = root / "sys/class/powercap/intel-rapl:0"
    (zone / "max_energy_range_uj").write_text("8000000\n")
    registry = exposed(PowerSource(HostTree(root)))
    seen = []
    for microjoules in (5_000_000, 7_000_000, 1_000_000, 2_000_000):
        (zone / "energy_uj").write_text(f"{microjoules}\n")
        seen.append(scrape(registry)["cpu_energy_joules_total", ("package-0", "intel-rapl:0")])
    assert seen == [5, 7, 9, 10]


def test_two_chips_of_one_kind_are_told_apart(tmp_path: Path) -> None:
    chips = {f"sys/class/hwmon/hwmon{n}/name": "nvme" for n in (0, 1)}
    chips |= {f"sys/class/hwmon/hwmon{n}/temp1_input": f"{40 + n}000" for n in (0, 1)}
    values = scrape(exposed(TemperatureSource(HostTree(write_tree(tmp_path, chips)))))
    assert values["temperature_celsius", ("nvme-hwmon0", "temp1")] == 40
    assert values["temperature_celsius", ("nvme-hwmon1", "temp1")] == 41


def test_a_pi_without_the_firmware_file_tells_its_voltage_by_the_chip(tmp_path: Path) -> None:
    root = raspberry_pi(tmp_path)
    (root / "sys/devices/platform/soc/soc:firmware/get_throttled").unlink()
    values = scrape(exposed(*machine_sources(root)))
    assert values["throttled", ("under_voltage",)] == 1
    assert ("throttled", ("throttled",)) not in values


def test_an_old_jetson_tells_its_rails_and_load(tmp_path: Path) -> None:
    rails = "sys/bus/i2c/drivers/ina3221x/6-0040/iio:device0"
    root = write_tree(
        tmp_path,
        {
            f"{rails}/rail_name_0": "POM_5V_IN",
            f"{rails}/in_power0_input": "2510",
            "sys/devices/gpu.0/load": "250",
            "sys/class/devfreq/57000000.gpu/cur_freq": "76800000",
        },
    )
    values = scrape(exposed(*machine_sources(root)))
    assert values["power_watts", ("ina3221x-6-0040", "POM_5V_IN")] == 2.51
    assert values["gpu_utilization_ratio", ("57000000.gpu",)] == 0.25
