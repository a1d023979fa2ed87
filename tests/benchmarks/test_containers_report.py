import pytest

from benchmarks.containers_report import report

MB = 1_000_000


def image(name: str, unpacked: int, compressed: int) -> dict[str, object]:
    parts = {"Python packages": unpacked * MB - 130 * MB, "base image": 130 * MB}
    return {
        "name": name,
        "unpacked_bytes": unpacked * MB,
        "compressed_bytes": compressed * MB,
        "parts_bytes": parts,
    }


def load(images_per_second: float) -> dict[str, float]:
    return {"images_per_second": images_per_second, "p50_ms": 50.0, "p99_ms": 90.0, "cpu_ms_per_image": 8.0}


def facts(*, containers: float, cold: float, engine_stage: float = 5.0) -> dict[str, object]:
    return {
        "command": "python -m benchmarks.containers",
        "machine": {"CPU": "one"},
        "images": [
            image("outpost/triton:1-cpu", 500, 200),
            image("outpost/gateway:1", 400, 160),
            image("outpost/gateway:1-gpu", 1000, 300),
        ],
        "images_measured": "`python -m benchmarks.containers --sizes-only`, today",
        "engine_stage_seconds": [engine_stage, 2 * engine_stage, engine_stage / 2],
        "cold_start_seconds": [cold, 2 * cold, cold / 2],
        "loads": {"embedded": [load(200.0)] * 3, "containers": [load(containers), load(200.0), load(containers)]},
    }


def test_goals_are_judged_by_medians() -> None:
    page = report(facts(containers=196.0, cold=9.0))
    assert "| outpost/triton:1-cpu | 500 | 200 | Python packages 370, base image 130 | 650: met |" in page
    assert "base image 130 | 250: met compressed, missed unpacked |" in page
    assert "| outpost/gateway:1-gpu | 1000 | 300 | Python packages 870, base image 130 |  |" in page
    assert "`python -m benchmarks.containers --sizes-only`, today.\nCompressed:" in page
    assert "**9.0 s** (rounds: 9.0, 18.0, 4.5). Goal 10 s: met." in page
    assert (
        "- containers against embedded: **0.98** in the middle of the rounds (0.98, 1.00, 0.98), 0.98 of the medians"
        in page
    )
    assert "goal 0.95 in the middle of the rounds: met" in page


def test_a_missed_goal_is_said() -> None:
    page = report(facts(containers=180.0, cold=11.0))
    assert "**11.0 s**" in page
    assert "Goal 10 s: missed" in page
    assert "goal 0.95 in the middle of the rounds: missed" in page


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (180.0, "**180.0 s** (rounds: 180.0, 360.0, 90.0). Goal 180 s: met."),
        (180.5, "**180.5 s** (rounds: 180.5, 361.0, 90.2). Goal 180 s: missed."),
    ],
)
def test_the_engine_stage_is_judged_by_its_median(seconds: float, said: str) -> None:
    page = report(facts(containers=196.0, cold=9.0, engine_stage=seconds))
    assert said in page[page.index("## The engine stage") : page.index("## From `up`")]
