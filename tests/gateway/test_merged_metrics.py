from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from gateway.workers.merged_metrics import MergedCollector


def worker(requests: float, depth: float, seconds: float) -> str:
    registry = CollectorRegistry()
    Counter("requests", "r", ["code"], registry=registry).labels("OK").inc(requests)
    Gauge("depth", "d", registry=registry).set(depth)
    Histogram("seconds", "s", buckets=(0.1, 1.0), registry=registry).observe(seconds)
    return generate_latest(registry).decode()


def test_samples_of_equal_labels_are_added() -> None:
    merged = CollectorRegistry()
    merged.register(MergedCollector([worker(2, 1, 0.05), worker(3, 4, 0.5)]))
    assert merged.get_sample_value("requests_total", {"code": "OK"}) == 5
    assert merged.get_sample_value("depth") == 5
    assert merged.get_sample_value("seconds_count") == 2
    assert merged.get_sample_value("seconds_bucket", {"le": "0.1"}) == 1
    assert merged.get_sample_value("seconds_bucket", {"le": "+Inf"}) == 2
    text = generate_latest(merged).decode()
    assert "# TYPE seconds histogram" in text
    assert "_created" not in text


def test_a_worker_that_is_being_started_counts_nothing() -> None:
    merged = CollectorRegistry()
    merged.register(MergedCollector(["", worker(1, 0, 0.1)]))
    assert merged.get_sample_value("requests_total", {"code": "OK"}) == 1
