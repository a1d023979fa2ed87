"""Answers as they are written: units, wrong kinds, contradictions."""

from typing import Any

import pytest

from model_compiler.errors import InvalidAnswer
from model_compiler.planning.flags import FLAGS, answers_of
from model_compiler.planning.round_trip import RoundTrip

BY_NAME = {flag.name: flag for flag in FLAGS}


@pytest.mark.parametrize(
    ("flag", "text", "value"),
    [
        ("--latency-budget", "150", 150.0),
        ("--latency-budget", "150ms", 150.0),
        ("--latency-budget", "0.15 s", 150.0),
        ("--latency-budget", "500us", 0.5),
        ("--round-trip", "80:240", RoundTrip(80, 240)),
        ("--round-trip", "0.1s", RoundTrip(100, 100)),
        ("--model-memory", "350MB", 350_000_000),
        ("--model-memory", "2GiB", 2**31),
        ("--model-memory", "1_000", 1000),
        ("--mbps-per-camera", "12", 12.0),
        ("--mbps-per-camera", "12 mbps", 12.0),
        ("--mbps-per-camera", "0.5Gbit/s", 500.0),
        ("--watts-limit", "1500mW", 1.5),
        ("--unsure-share", "0.5%", 0.005),
        ("--unsure-share", "0", 0.0),
        ("--data-must-stay", "Yes", True),
        ("--works-offline", "n", False),
        ("--ambient-celsius", "-20C", -20.0),
        ("--ambient-celsius", "45", 45.0),
        ("--cameras", "50", 50),
        ("--workload", "portable", "portable"),
    ],
)
def test_answers_are_read_with_or_without_units(flag: str, text: str, value: Any) -> None:
    assert BY_NAME[flag].read(text) == value


@pytest.mark.parametrize(
    ("flag", "text", "problem"),
    [
        ("--latency-budget", "-150", "it is negative"),
        ("--latency-budget", "0", "must be more than 0"),
        ("--latency-budget", "soon", "it is not a number"),
        ("--latency-budget", "nan", "it is not a number"),
        ("--latency-budget", "1e999", "it is not finite"),
        ("--latency-budget", "12MB", "'MB' is not one of its units; write a number, or with a unit: us, ms, s, min"),
        ("--round-trip", "240:80", "the shortest time comes first"),
        ("--round-trip", "80:", "it is not a number"),
        ("--model-memory", "2 apples", "'apples' is not one of its units"),
        ("--mbps-per-camera", "12MB", "'MB' is not one of its units"),
        ("--unsure-share", "10", "it is above 1"),
        ("--unsure-share", "150%", "it is above 1"),
        ("--data-must-stay", "maybe", "neither yes nor no"),
        ("--cameras", "2.5", "it has a fraction"),
        ("--cameras", "2 cm", "'cm' is not one of its units; write a number"),
        ("--fleet-size", "0", "must be more than 0"),
        ("--workload", "games", "not one of battery-video"),
        ("--ambient-celsius", "warm", "it is not a number"),
    ],
)
def test_answers_that_cannot_be_name_their_flag(flag: str, text: str, problem: str) -> None:
    with pytest.raises(InvalidAnswer, match=f"^{flag}: ") as caught:
        BY_NAME[flag].read(text)
    assert problem in str(caught.value)


@pytest.mark.parametrize(
    ("texts", "flag", "problem"),
    [
        ({"data_must_stay": "yes", "data_in_cloud": "yes"}, "--data-in-cloud", "--data-must-stay is yes too"),
        ({"works_offline": "yes", "data_in_cloud": "yes"}, "--data-in-cloud", "--works-offline is yes too"),
        ({"data_must_stay": "yes", "unsure_share": "0.1"}, "--unsure-share", "--data-must-stay is yes"),
        ({"latency_budget": "20", "other_stages": "20"}, "--other-stages", "leave nothing of --latency-budget"),
        ({"cameras": "5"}, "--mbps-per-camera", "is missing"),
        ({"mbps_per_camera": "5"}, "--cameras", "is missing"),
        ({"hours": "8"}, "--hours", "needs the battery"),
        ({"battery_volts": "8"}, "--battery-ah", "is missing"),
        ({"battery_ah": "8"}, "--battery-volts", "is missing"),
        ({"battery_usable": "0.8"}, "--battery-ah", "is missing"),
        ({"result_rate": "1"}, "--result-rate", "needs the data volume"),
        ({"price_per_gb": "1"}, "--price-per-gb", "needs the data volume"),
    ],
)
def test_contradictions_name_the_flag_to_change(texts: dict[str, str], flag: str, problem: str) -> None:
    values = {key: BY_NAME[f"--{key.replace('_', '-')}"].read(text) for key, text in texts.items()}
    with pytest.raises(InvalidAnswer, match=f"^{flag}: ") as caught:
        answers_of(values)
    assert problem in str(caught.value)


def test_answers_reach_their_fields() -> None:
    found = answers_of({"battery_ah": 10.0, "battery_volts": 7.4, "hours": 4.0, "latency_budget": 50.0})
    assert found.battery is not None
    assert (found.battery.usable_wh, found.hours_wanted, found.latency_budget_ms) == (74, 4, 50)


def test_flags_and_fields_are_used_once() -> None:
    assert len({flag.name for flag in FLAGS}) == len({flag.field for flag in FLAGS}) == len(FLAGS)
