from pathlib import Path

from model_compiler.evaluation.energy_counter import EnergyCounter


def write_zone(powercap: Path, name: str, microjoules: int, limit: int = 1_000_000) -> None:
    zone = powercap / name
    zone.mkdir(parents=True, exist_ok=True)
    (zone / "energy_uj").write_text(f"{microjoules}\n")
    (zone / "max_energy_range_uj").write_text(f"{limit}\n")


def test_packages_are_added_and_their_parts_are_not(tmp_path: Path) -> None:
    for name in ("intel-rapl:0", "intel-rapl:1", "intel-rapl:0:0"):
        write_zone(tmp_path, name, 100)
    counter = EnergyCounter(tmp_path)
    before = counter.read()
    for name, microjoules in (("intel-rapl:0", 500_100), ("intel-rapl:1", 250_100), ("intel-rapl:0:0", 400_000)):
        write_zone(tmp_path, name, microjoules)
    assert counter.joules_between(before, counter.read()) == 0.75


def test_a_counter_that_ran_over(tmp_path: Path) -> None:
    write_zone(tmp_path, "intel-rapl:0", 900_000)
    counter = EnergyCounter(tmp_path)
    before = counter.read()
    write_zone(tmp_path, "intel-rapl:0", 100_000)
    assert counter.joules_between(before, counter.read()) == 0.2


def test_a_machine_that_does_not_count(tmp_path: Path) -> None:
    (tmp_path / "intel-rapl:0").mkdir()
    counter = EnergyCounter(tmp_path)
    assert not counter.available
    assert counter.joules_between(counter.read(), counter.read()) is None
    assert counter.mean_watts(3600) is None


def test_power_is_energy_over_the_time_that_passed(tmp_path: Path) -> None:
    write_zone(tmp_path, "intel-rapl:0", 100)
    times = iter([10.0, 10.25])
    waited: list[float] = []

    def wait(seconds: float) -> None:
        waited.append(seconds)
        write_zone(tmp_path, "intel-rapl:0", 500_100)

    assert EnergyCounter(tmp_path).mean_watts(0.2, wait=wait, clock=lambda: next(times)) == 2.0
    assert waited == [0.2]
