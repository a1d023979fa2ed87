"""Latencies, stages, results and the comparison of minutes, from literal records."""

import pytest

from gateway.load.latency_summary import LatencySummary
from gateway.load.load_report import result_json, stage_sentence, sustained_json
from gateway.load.load_result import load_result
from gateway.load.load_window import LoadWindow
from gateway.load.request_record import RequestRecord
from gateway.load.stage_summary import REMAINDER, TOTAL, parse_stages, stage_share, summarise_stages
from gateway.load.sustained_load import FrequencyReading, compare_ends

STAGES = "queue=1000,decode=2000,letterbox=500,infer=4000,postprocess=500"


def answered(finished_at: float, latency: float, *, late: float = 0.0, stages: str = "") -> RequestRecord:
    return RequestRecord(finished_at - latency, finished_at - latency + late, finished_at, "OK", stages)


def test_percentiles_of_a_hundred_latencies() -> None:
    summary = LatencySummary.of([number / 1000 for number in range(1, 101)])

    assert summary.count == 100
    assert summary.mean_ms == pytest.approx(50.5)
    assert summary.p50_ms == pytest.approx(50.5)
    assert summary.p95_ms == pytest.approx(95.05)
    assert summary.p99_ms == pytest.approx(99.01)
    assert summary.max_ms == pytest.approx(100.0)


def test_no_latencies_are_an_error() -> None:
    with pytest.raises(ValueError, match="no latencies"):
        LatencySummary.of([])


def test_stage_text_is_read() -> None:
    assert parse_stages("queue=120,decode=1800") == {"queue": pytest.approx(120e-6), "decode": pytest.approx(1.8e-3)}
    assert parse_stages("") == {}


@pytest.mark.parametrize("text", ["queue", "queue=", "queue=1=2", "queue=fast"])
def test_malformed_stage_text_is_an_error(text: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        parse_stages(text)


def test_what_no_stage_covers_is_encode_and_transport() -> None:
    stages = summarise_stages([answered(1.0, 0.010, stages=STAGES), answered(2.0, 0.012, stages=STAGES)])

    means = {stage.name: stage.latency.mean_ms for stage in stages}
    assert list(means) == ["queue", "decode", "letterbox", "infer", "postprocess", REMAINDER, TOTAL]
    assert means["infer"] == pytest.approx(4.0)
    assert means[REMAINDER] == pytest.approx(3.0)
    assert means[TOTAL] == pytest.approx(11.0)
    assert stage_share(stages) == pytest.approx(8 / 11)


def test_answers_without_stages_have_no_table() -> None:
    result = load_result("x", [answered(1.0, 0.01)], LoadWindow(0.0, 0.0, 2.0), by_schedule=False)

    assert result.stages == ()
    assert result.stage_share is None
    assert stage_sentence(result) == "the answers tell no stage times"


def test_stages_within_and_beyond_the_tolerance() -> None:
    window = LoadWindow(0.0, 0.0, 2.0)
    near = load_result("x", [answered(1.0, 0.0083, stages=STAGES)], window, by_schedule=False)
    far = load_result("x", [answered(1.0, 0.0120, stages=STAGES)], window, by_schedule=False)

    assert "is within 5%" in stage_sentence(near)
    assert "is more than 5%" in stage_sentence(far)


def test_closed_loop_counts_what_was_answered_in_the_window() -> None:
    records = [
        answered(0.9, 0.1),  # warm-up
        answered(1.0, 0.2),
        answered(2.5, 0.1),
        RequestRecord(1.4, 1.4, 1.5, "RESOURCE_EXHAUSTED", ""),
        answered(3.0, 0.1),  # the window ends before it
    ]

    result = load_result("2 clients", records, LoadWindow(0.0, 1.0, 3.0), by_schedule=False)

    assert result.images == 2
    assert result.images_per_second == pytest.approx(1.0)
    assert result.codes == {"OK": 2, "RESOURCE_EXHAUSTED": 1}
    assert result.failures == 1
    assert result.latency is not None
    assert result.latency.max_ms == pytest.approx(200.0)


def test_open_loop_judges_what_was_due_in_the_window_from_the_moment_it_was_due() -> None:
    due_in_time_answered_late = RequestRecord(2.9, 2.95, 3.9, "OK", "")
    records = [answered(1.5, 0.2), due_in_time_answered_late]

    result = load_result("50/s", records, LoadWindow(0.0, 1.0, 3.0), by_schedule=True)

    assert result.codes == {"OK": 2}
    assert result.images == 1
    assert result.latency is not None
    assert result.latency.max_ms == pytest.approx(1000.0)
    assert result.late_p99_ms == pytest.approx(49.5)


def test_a_load_without_an_answer_has_no_latency() -> None:
    records = [RequestRecord(1.0, 1.0, 1.1, "UNAVAILABLE", "")]

    result = load_result("x", records, LoadWindow(0.0, 0.0, 2.0), by_schedule=False)

    assert result.latency is None
    assert result.images_per_second == 0.0
    assert result_json(result)["codes"] == {"UNAVAILABLE": 1}


def test_result_as_json_is_rounded() -> None:
    records = [answered(1.0, 0.0123456)]

    values = result_json(load_result("x", records, LoadWindow(0.0, 0.0, 3.0), by_schedule=False))

    assert values["images_per_second"] == 0.333
    assert values["latency"]["p50_ms"] == 12.346


def minute(start: float, count: int, latency: float) -> list[RequestRecord]:
    return [answered(start + (number + 0.5) * 60 / count, latency) for number in range(count)]


def test_last_minute_against_first() -> None:
    records = minute(0.0, 600, 0.010) + minute(60.0, 500, 0.030) + minute(120.0, 400, 0.012)
    readings = [FrequencyReading(10.0, 3000.0), FrequencyReading(70.0, 1.0), FrequencyReading(170.0, 2400.0)]

    comparison = compare_ends(records, LoadWindow(0.0, 0.0, 180.0), readings)

    assert comparison is not None
    assert comparison.first.p50_ms == pytest.approx(10.0)
    assert comparison.first.images_per_second == pytest.approx(10.0)
    assert comparison.first.cpu_mhz == 3000.0
    assert comparison.last.cpu_mhz == 2400.0
    assert comparison.ratio == pytest.approx(1.5)
    assert comparison.throttled
    assert sustained_json(comparison)["throttled"] is True


def test_a_steady_load_is_not_throttled_and_may_be_short() -> None:
    comparison = compare_ends(minute(0.0, 600, 0.010), LoadWindow(0.0, 0.0, 60.0))

    assert comparison is not None
    assert comparison.ratio == pytest.approx(1.0, abs=0.02)
    assert not comparison.throttled
    assert comparison.first.cpu_mhz is None


def test_no_comparison_without_answers_at_the_end() -> None:
    assert compare_ends(minute(0.0, 10, 0.01), LoadWindow(0.0, 0.0, 240.0)) is None
