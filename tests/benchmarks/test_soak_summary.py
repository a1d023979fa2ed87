"""Memory over a soak, from literal readings."""

import pytest

from benchmarks.soak_summary import MemoryReading, early_and_late, summarise_soak

MIB = 2**20


def readings(gateway_mib: list[int]) -> list[MemoryReading]:
    step = 100 // len(gateway_mib)
    return [
        MemoryReading((number + 1) * step, {"gateway": mib * MIB, "backend": 50 * MIB})
        for number, mib in enumerate(gateway_mib)
    ]


def test_caches_that_fill_at_the_start_do_not_count() -> None:
    soak = summarise_soak(
        "m", readings([10, 150, 200, 202, 201, 203, 202, 203, 204, 204]), requests=100, failures=5, seconds=10
    )

    assert soak.early_mib == {"gateway": 200.0, "backend": 50.0}
    assert soak.late_mib == {"gateway": 204.0, "backend": 50.0}
    assert soak.growth_mib == pytest.approx(4.0)
    assert soak.steady
    assert soak.images_per_second == pytest.approx(9.5)


def test_a_leak_is_not_steady() -> None:
    soak = summarise_soak(
        "m", readings([100 + 10 * number for number in range(10)]), requests=100, failures=0, seconds=1
    )

    assert soak.growth_mib == pytest.approx(60.0)
    assert not soak.steady


def test_two_readings_are_not_enough() -> None:
    with pytest.raises(ValueError, match="too few"):
        summarise_soak("m", readings([100]), requests=100, failures=0, seconds=1)


def test_what_comes_or_goes_is_compared_by_role() -> None:
    early, late = early_and_late(
        [(10, {"a": 99}), (30, {"a": 5}), (40, {"a": 7}), (80, {"a": 6, "b": 4}), (100, {})], 100
    )

    assert early == {"a": 6}
    assert late == {"a": 3, "b": 2}
