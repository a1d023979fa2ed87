"""Many requests of every kind to one gateway: every answer is the right one, and it holds no more at the end."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from benchmarks.soak_summary import MemoryReading, SoakSummary, early_and_late, summarise_soak
from tests.system.conftest import Measured
from tests.system.gateway_process import GatewayProcess
from tests.system.held_resources import HeldResources, read_held, regions_of
from tests.system.sizes import Sizes
from tests.system.soak_client import EXPECTED, WRONG
from tests.system.soak_traffic import SoakTraffic

pytestmark = [pytest.mark.long, pytest.mark.soak]
MOST_MORE_DESCRIPTORS = 4
EarlyAndLate = tuple[dict[str, float], dict[str, float]]


@pytest.fixture
def soaked(tmp_path: Path, seed_dir: Path) -> Iterator[GatewayProcess]:
    """A gateway of the test's own."""
    process = GatewayProcess(tmp_path / "state", seed_dir)
    process.start()
    try:
        process.wait_until_ready()
        yield process
    finally:
        process.close()


def test_every_answer_is_right_and_nothing_piles_up(soaked: GatewayProcess, sizes: Sizes, measured: Measured) -> None:
    readings: list[HeldResources] = []
    traffic = SoakTraffic(soaked, sizes.requests, lambda done: readings.append(read_held(soaked, done)))
    traffic.run()
    assert traffic.broken == []
    failed = {each: count for each, count in traffic.outcomes.items() if each[1] not in EXPECTED[each[0]]}
    failures = {f"{kind}: {outcome}": count for (kind, outcome), count in failed.items()}
    memory = summarise_soak(
        "tiny",
        [MemoryReading(each.requests, each.rss_bytes) for each in readings],
        requests=sizes.requests,
        failures=sum(failures.values()),
        seconds=traffic.seconds,
    )
    descriptors = compared(readings, sizes.requests, "descriptors")
    regions = compared(readings, sizes.requests, "regions")
    measured("soak", facts_of(traffic, failures, memory, descriptors, regions))
    assert failures == {}
    assert {kind for kind, _ in traffic.outcomes} == EXPECTED.keys()
    assert traffic.outcomes["too_short_a_deadline", "StatusCode.DEADLINE_EXCEEDED"] > 0
    assert memory.steady, memory
    early, late = descriptors
    assert sum(late.values()) <= sum(early.values()) + MOST_MORE_DESCRIPTORS, descriptors
    assert regions[0] == regions[1]
    assert (soaked.metric("outpost_in_flight"), soaked.metric("outpost_queue_depth")) == (0, 0)
    assert soaked.metric("outpost_triton_starts") == 1
    assert soaked.stop() == 0
    assert regions_of(soaked) == {}


def compared(readings: list[HeldResources], requests: int, what: str) -> EarlyAndLate:
    return early_and_late([(each.requests, getattr(each, what)) for each in readings], requests)


def facts_of(
    traffic: SoakTraffic,
    failures: dict[str, int],
    memory: SoakSummary,
    descriptors: EarlyAndLate,
    regions: EarlyAndLate,
) -> dict[str, Any]:
    outcomes: dict[str, dict[str, int]] = {}
    for (kind, outcome), count in sorted(traffic.outcomes.items()):
        outcomes.setdefault(kind, {})[outcome] = count
    return {
        "requests": traffic.outcomes.total(),
        "seconds": traffic.seconds,
        "outcomes": outcomes,
        "wrong": sum(each.get(WRONG, 0) for each in outcomes.values()),
        "failures": failures,
        "memory_mib": [memory.early_mib, memory.late_mib],
        "descriptors": descriptors,
        "shared_memory": [{"objects": len(each), "bytes": sum(each.values())} for each in regions],
    }
