import pytest

from model_compiler.evaluation.measurement import Measurement, RoundSample


def sample(
    p50_ms: float, images_per_second: float, watts: float | None = None, idle_watts: float | None = None
) -> RoundSample:
    latencies = tuple(p50_ms * factor / 1e3 for factor in (0.9, 1.0, 1.3))
    return RoundSample(latencies, images_per_second, 1000 / images_per_second, watts, idle_watts)


def test_medians_over_rounds_and_the_tail_over_all() -> None:
    rounds = (sample(10, 100), sample(50, 20), sample(11, 90))
    found = Measurement(1.23456, rounds, 10**8).performance("x86-cpu", "a CPU", "openvino")
    assert (found.status, found.hardware_class, found.runtime) == ("measured", "x86-cpu", "openvino")
    assert found.latency_p50_ms == pytest.approx(11)
    assert found.images_per_second == pytest.approx(90)
    assert found.latency_p99_ms == pytest.approx(63.8)
    assert found.load_seconds == 1.235
    assert found.cpu_ms_per_image == pytest.approx(11.11)
    assert (found.mean_power_watts, found.mean_power_above_idle_watts) == (None, None)


def test_power_is_of_the_rounds_that_have_it() -> None:
    rounds = (sample(10, 100, 15.0, 9.0), sample(10, 100), sample(10, 100, 17.0, 9.0))
    found = Measurement(1.0, rounds, None).performance("x86-cpu", "", "openvino")
    assert (found.mean_power_watts, found.mean_power_above_idle_watts) == (16.0, 7.0)


def test_power_above_idle_may_be_noise() -> None:
    found = Measurement(1.0, (sample(10, 100, 9.0, 9.5),), None).performance("x86-cpu", "", "openvino")
    assert (found.mean_power_watts, found.mean_power_above_idle_watts) == (9.0, -0.5)
