"""The gateway's histograms, read from what a real registry writes."""

import pytest
from prometheus_client import CollectorRegistry, generate_latest

from gateway.load.load_report import server_json, server_sentence
from gateway.load.server_stages import HistogramTotals, ServerStages, fetch_totals, read_totals, stages_between
from gateway.messages import StageTimes
from gateway.metrics import ServingMetrics


def test_totals_of_one_model_and_protocol() -> None:
    metrics = ServingMetrics(CollectorRegistry())
    for _ in range(2):
        metrics.observe_frame("defects", StageTimes(queue=0.001, decode=0.002, infer=0.004))
        metrics.request_seconds.labels("defects", "grpc").observe(0.010)
    metrics.request_seconds.labels("defects", "http").observe(5.0)
    metrics.request_seconds.labels("other", "grpc").observe(5.0)
    metrics.observe_frame("other", StageTimes(queue=9.0))

    totals = read_totals(generate_latest(metrics.registry).decode(), "defects", "grpc")

    assert totals.requests == 2
    assert totals.request_seconds == pytest.approx(0.020)
    assert totals.stage_seconds["decode"] == pytest.approx(0.004)
    assert totals.stage_seconds["queue"] == pytest.approx(0.002)


def test_means_between_two_readings() -> None:
    before = HistogramTotals({"decode": 1.0}, 10.0, 100)
    after = HistogramTotals({"decode": 1.2, "infer": 0.7}, 11.0, 200)

    stages = stages_between(before, after)

    assert stages is not None
    assert stages.stage_ms == {"decode": pytest.approx(2.0), "infer": pytest.approx(7.0)}
    assert stages.request_ms == pytest.approx(10.0)
    assert stages.share == pytest.approx(0.9)
    assert server_json(stages)["share"] == 0.9
    assert "= 9.00 of 10.00 ms (90.0%, NOT within 5%)" in server_sentence("x", stages)


def test_stages_within_the_tolerance() -> None:
    assert "(96.0%, within 5%)" in server_sentence("x", ServerStages({"infer": 9.6}, 10.0))


def test_no_requests_have_no_means() -> None:
    reading = HistogramTotals({}, 1.0, 10)
    assert stages_between(reading, reading) is None


def test_nobody_at_the_metrics_address() -> None:
    assert fetch_totals("127.0.0.1:1", "defects", "grpc") is None
