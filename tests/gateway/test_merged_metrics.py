from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from gateway.workers.lasting_counters import LastingCounters
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


def test_what_an_ended_process_had_counted_stays_counted() -> None:
    counters = LastingCounters()
    for requests in (2, 5):  # two processes of one worker
        counters.tell(worker(1, 3, 0.05))
        counters.tell(worker(requests, 3, 0.05))
        counters.end_process()
    merged = CollectorRegistry()
    merged.register(MergedCollector(counters.texts()))
    assert merged.get_sample_value("requests_total", {"code": "OK"}) == 7
    assert merged.get_sample_value("seconds_bucket", {"le": "0.1"}) == 2
    assert merged.get_sample_value("depth") is None
    counters.tell(worker(1, 4, 0.5))
    merged = CollectorRegistry()
    merged.register(MergedCollector(counters.texts()))
    assert merged.get_sample_value("requests_total", {"code": "OK"}) == 8
    assert merged.get_sample_value("seconds_count") == 3
    assert merged.get_sample_value("depth") == 4


def test_a_worker_that_never_answered_counts_nothing() -> None:
    counters = LastingCounters()
    counters.end_process()
    assert "requests" not in "".join(counters.texts())
