"""What the workers say becomes results."""

import pytest

from benchmarks.serving_systems import ceiling_result, cell_result


def test_in_process_workers_together() -> None:
    worker = {"images": 100, "seconds": 2.0, "cpu_seconds": 1.9, "prepare_cpu_seconds": 0.3, "host_busy_seconds": 3.9}
    answers = [worker | {"latencies": [0.02] * 100}, worker | {"latencies": [0.01] * 100}]

    result = ceiling_result(answers)

    assert result.images_per_second == pytest.approx(100.0)
    assert result.cpu_ms_per_image == {"in process": pytest.approx(19.0), "everything else": pytest.approx(0.5)}
    assert result.prepare_cpu_ms == pytest.approx(3.0)
    assert result.latency_ms["p50"] == pytest.approx(15.0)
    assert result.latency_ms["max"] == pytest.approx(20.0)


def test_a_load_with_failures() -> None:
    answer = {
        "images_per_second": 50.0,
        "latency": {"p50_ms": 1.0, "p95_ms": 2.0, "p99_ms": 3.0, "max_ms": 4.0, "mean_ms": 1.1, "count": 9},
        "cpu_ms_per_image": {"gateway": 4.0},
        "codes": {"OK": 9, "RESOURCE_EXHAUSTED": 2, "UNAVAILABLE": 1},
    }

    result = cell_result(answer)

    assert result.latency_ms == {"p50": 1.0, "p95": 2.0, "p99": 3.0, "max": 4.0}
    assert result.failures == 3


def test_a_load_without_an_answer() -> None:
    result = cell_result({"images_per_second": 0.0, "latency": None, "cpu_ms_per_image": {}, "codes": {"TIMEOUT": 4}})

    assert result.latency_ms == {}
    assert result.failures == 4
