"""Which answers lead to which verdict, and which question decides."""

import pytest

from model_compiler.planning.answers import Answers
from model_compiler.planning.decision import NOTHING_SPEAKS_FOR_THE_EDGE, Verdict, decide, what_would_change
from model_compiler.planning.questions import Limits, Weight
from model_compiler.planning.round_trip import RoundTrip

SLOW = RoundTrip(80, 240)
FAST = RoundTrip(5, 20)


@pytest.mark.parametrize(
    ("answers", "verdict", "deciding"),
    [
        # the six questions, each alone
        (Answers(latency_budget_ms=99), "edge", "latency"),
        (Answers(cameras=50, mbps_per_camera=12), "edge", "data volume"),
        (Answers(data_must_stay=True), "edge", "data residency"),
        (Answers(works_offline=True), "edge", "work offline"),
        (Answers(model_memory_bytes=18_000_000_000), "cloud", "model size"),
        (Answers(model_memory_bytes=16 * 2**30), "cloud", NOTHING_SPEAKS_FOR_THE_EDGE),
        (Answers(edge_inference_ms=2000), "cloud", "model size"),
        (Answers(can_operate_devices=False), "cloud", "operations"),
        # what speaks for staying in the cloud
        (Answers(model_memory_bytes=40_000_000_000, latency_budget_ms=500), "cloud", "model size"),
        (Answers(latency_budget_ms=200), "cloud", "latency"),
        (Answers(latency_budget_ms=500), "cloud", "latency"),
        (Answers(updates_per_day=4), "cloud", "update frequency"),
        (Answers(data_in_cloud=True), "cloud", "data location"),
        (Answers(data_in_cloud=True, cameras=50, mbps_per_camera=12), "cloud", "data location"),
        (Answers(bursty=True), "cloud", "load shape"),
        # a deadline over a known network
        (
            Answers(latency_budget_ms=150, round_trip=SLOW, cloud_inference_ms=10, other_stages_ms=7),
            "edge",
            "latency",
        ),
        (Answers(latency_budget_ms=50, round_trip=FAST), "cloud", NOTHING_SPEAKS_FOR_THE_EDGE),
        (Answers(latency_budget_ms=300, round_trip=SLOW), "cloud", "latency"),
        (Answers(latency_budget_ms=210, round_trip=SLOW, on_time_share=0.5), "cloud", "latency"),
        (Answers(latency_budget_ms=210, round_trip=SLOW, on_time_share=0.99), "edge", "latency"),
        (Answers(latency_budget_ms=200, round_trip=FAST), "cloud", "latency"),
        (Answers(cameras=10, mbps_per_camera=10), "cloud", NOTHING_SPEAKS_FOR_THE_EDGE),
        # both
        (Answers(cameras=50, mbps_per_camera=12, latency_budget_ms=500), "hybrid", "data volume"),
        (Answers(latency_budget_ms=20, updates_per_day=4), "hybrid", "latency"),
        (Answers(works_offline=True, unsure_share=0.05), "hybrid", "work offline"),
        (Answers(latency_budget_ms=150, round_trip=SLOW, unsure_share=0.05), "hybrid", "latency"),
        (Answers(data_must_stay=True, unsure_share=0.05), "edge", "data residency"),
        # the edge must, whatever else is convenient
        (Answers(data_must_stay=True, bursty=True, updates_per_day=9), "edge", "data residency"),
        (Answers(works_offline=True, can_operate_devices=False), "edge", "work offline"),
        # nobody to look after devices outweighs what is only convenient
        (Answers(latency_budget_ms=60, can_operate_devices=False), "cloud", "operations"),
        # price decides where nothing else does
        (
            Answers(cloud_price_per_month=8100, edge_price_per_month=480, price_per_device=2400, fleet_size=5),
            "edge",
            "cost",
        ),
        (
            Answers(cloud_price_per_month=166_667, edge_price_per_month=41_667, price_per_device=15_000_000),
            "cloud",
            "cost",
        ),
        (Answers(cloud_price_per_month=10, edge_price_per_month=20), "cloud", "cost"),
        (Answers(cloud_price_per_month=20, edge_price_per_month=10, price_per_device=0), "edge", "cost"),
        # hardware of an unknown price may cost more than is saved
        (Answers(cloud_price_per_month=20, edge_price_per_month=10), "cloud", NOTHING_SPEAKS_FOR_THE_EDGE),
        # nothing speaks for the edge
        (Answers(unsure_share=0.1), "cloud", NOTHING_SPEAKS_FOR_THE_EDGE),
        (Answers(), "cloud", NOTHING_SPEAKS_FOR_THE_EDGE),
        (
            Answers(
                latency_budget_ms=150,
                cameras=1,
                mbps_per_camera=4,
                data_must_stay=False,
                works_offline=False,
                model_memory_bytes=1,
                can_operate_devices=True,
                updates_per_day=1,
                data_in_cloud=False,
                bursty=False,
                unsure_share=0.0,
            ),
            "cloud",
            NOTHING_SPEAKS_FOR_THE_EDGE,
        ),
    ],
)
def test_verdict_and_deciding_question(answers: Answers, verdict: Verdict, deciding: str) -> None:
    found = decide(answers)
    assert (found.verdict, found.deciding_question) == (verdict, deciding)


def test_every_question_gives_its_reason_in_order() -> None:
    reasons = decide(Answers(works_offline=True)).reasons
    assert [reason.question for reason in reasons][:6] == [
        *("latency", "data volume", "data residency"),
        *("work offline", "model size", "operations"),
    ]
    assert {r.question: r.weight for r in reasons}["work offline"] is Weight.MUST_EDGE
    assert {r.question: r.weight for r in reasons}["latency"] is Weight.UNKNOWN


def test_the_chance_of_the_cloud_to_be_in_time_is_in_the_reason() -> None:
    answers = Answers(latency_budget_ms=150, round_trip=SLOW, cloud_inference_ms=10, other_stages_ms=7)
    assert "22%" in decide(answers).reasons[0].text


@pytest.mark.parametrize(
    ("answers", "remedy"),
    [
        (Answers(data_must_stay=True, model_memory_bytes=40_000_000_000), "make the model smaller"),
        (Answers(works_offline=True, can_operate_devices=False), "look after the devices"),
        (Answers(latency_budget_ms=50, round_trip=SLOW, data_in_cloud=True), "move the work"),
        (Answers(latency_budget_ms=50, edge_inference_ms=40, other_stages_ms=20), "60 ms of 50 ms"),
    ],
)
def test_what_cannot_all_be_met_is_said_with_a_remedy(answers: Answers, remedy: str) -> None:
    found = decide(answers)
    assert found.verdict == "edge"
    assert any(remedy in conflict for conflict in found.conflicts)


def test_limits_can_be_set() -> None:
    assert decide(Answers(latency_budget_ms=60), Limits(edge_latency_ms=50)).verdict == "cloud"


def test_answers_that_carry_the_verdict_are_named() -> None:
    answers = Answers(works_offline=True, cameras=50, mbps_per_camera=12, bursty=True)
    assert what_would_change(answers) == {"works_offline": "hybrid"}
    assert what_would_change(Answers(works_offline=True, data_must_stay=True)) == {}
