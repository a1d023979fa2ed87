from benchmarks.models_alone import goal, measure, table

ROUNDS = {"f32-onnxruntime": [10.0, 12.0, 10.0], "bf16-openvino": [4.0, 4.0, 5.0], "int8-openvino": [5.0, 5.0, 5.0]}


def test_every_variant_is_measured_in_every_round_and_each_begins_once() -> None:
    now, called = [0.0], list[str]()

    def inference(name: str, seconds: float) -> None:
        called.append(name)
        now[0] += seconds

    found = measure(
        {"slow": lambda: inference("slow", 0.5), "fast": lambda: inference("fast", 0.25)},
        rounds=2,
        seconds=1.0,
        clock=lambda: now[0],
    )
    assert found == {"slow": [500.0, 500.0], "fast": [250.0, 250.0]}
    warm_up = 3
    assert called[warm_up:] == ["slow"] * 2 + ["fast"] * 4 + ["fast"] * 4 + ["slow"] * 2


def test_the_goal_is_of_the_fastest_variant_by_the_median_of_the_rounds() -> None:
    found = goal("defects", ROUNDS)
    assert (found["value"], found["target"]) == (2.5, 2.5)
    assert str(found["note"]).startswith("bf16-openvino, rounds from 2.00 to 3.00")


def test_the_table_has_a_line_for_each_variant() -> None:
    text = table({"defects": ROUNDS}, "the command", {"CPU": "a processor", "date": "a day"})
    assert "| bf16-openvino | 4.00 [4.00, 5.00] | 2.50 [2.00, 3.00] |" in text
    assert "`the command`" in text
