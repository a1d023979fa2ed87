"""Malformed bytes at every entry point, for a while: each gets a clear answer, and nothing else suffers."""

import contextlib
import json
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.system.conftest import Measured
from tests.system.fuzz_targets import FuzzTargets
from tests.system.gateway_process import GatewayProcess
from tests.system.held_resources import HeldResources, read_held
from tests.system.sizes import Sizes
from tests.system.test_faults import Load

pytestmark = [pytest.mark.long, pytest.mark.soak]
CALM_CALLERS = 1
MOST_MISBEHAVIOURS = 20
SETTLED_AFTER = 0.2
LARGEST_GROWTH_BYTES = 64 * 2**20
MOST_MORE_DESCRIPTORS = 8


@pytest.fixture
def fuzzed(tmp_path: Path, seed_dir: Path) -> Iterator[GatewayProcess]:
    """A gateway of the test's own."""
    process = GatewayProcess(tmp_path / "state", seed_dir)
    process.start()
    try:
        process.wait_until_ready()
        yield process
    finally:
        process.close()


class Fuzz:
    """Sends one case after the other, and counts what came of them."""

    def __init__(self, gateway: GatewayProcess, seed: int) -> None:
        self._gateway = gateway
        self._seed = seed
        self.targets = FuzzTargets(gateway)
        self.cases = 0
        self.outcomes: Counter[tuple[str, str]] = Counter()
        self.misbehaviours: list[str] = []

    def run(self, seconds: float) -> HeldResources:
        """Until the time is over, or too much went wrong; returns what the gateway holds then."""
        until = time.monotonic() + seconds
        while time.monotonic() < until and len(self.misbehaviours) < MOST_MISBEHAVIOURS:
            try:
                self.outcomes[self.targets.send(self.cases, self._seed)] += 1
            except (AssertionError, OSError) as error:
                self.misbehaviours.append(f"case {self.cases} of seed {self._seed}: {error!r}")
            self.cases += 1
        return read_held(self._gateway, self.cases)

    def close(self) -> None:
        self.targets.close()

    def facts(self, early: HeldResources, late: HeldResources) -> dict[str, Any]:
        outcomes: dict[str, dict[str, int]] = {}
        for (target, outcome), count in sorted(self.outcomes.items()):
            outcomes.setdefault(target, {})[outcome] = count
        return {
            "seed": self._seed,
            "cases": self.cases,
            "outcomes": outcomes,
            "misbehaviours": self.misbehaviours,
            "early": {"rss_bytes": early.rss_bytes, "descriptors": early.descriptors},
            "late": {"rss_bytes": late.rss_bytes, "descriptors": late.descriptors},
        }


def test_malformed_input_is_answered_clearly_and_nothing_else_suffers(
    fuzzed: GatewayProcess, grey_jpeg: bytes, sizes: Sizes, measured: Measured
) -> None:
    fuzz = Fuzz(fuzzed, sizes.seed)
    print(f"seed {sizes.seed}, {sizes.fuzz_seconds} s")
    with contextlib.closing(fuzz), Load(fuzzed.grpc_address, grey_jpeg, callers=CALM_CALLERS) as calm:
        early = fuzz.run(SETTLED_AFTER * sizes.fuzz_seconds)
        late = fuzz.run((1 - SETTLED_AFTER) * sizes.fuzz_seconds)
    beside = {"answered": calm.answers.codes["OK"], "wrong": calm.answers.wrong, "codes": dict(calm.answers.codes)}
    measured("fuzz", fuzz.facts(early, late) | {"seconds": sizes.fuzz_seconds, "beside": beside})
    assert fuzz.misbehaviours == []
    assert {target for target, _ in fuzz.outcomes} == fuzz.targets.names
    assert (set(calm.answers.codes), calm.answers.wrong) == ({"OK"}, 0)
    assert unforeseen(fuzzed) == []
    assert (fuzzed.metric("outpost_in_flight"), fuzzed.metric("outpost_queue_depth")) == (0, 0)
    assert fuzzed.metric("outpost_triton_starts") == 1
    assert late.regions == early.regions
    assert sum(late.descriptors.values()) <= sum(early.descriptors.values()) + MOST_MORE_DESCRIPTORS
    assert sum(late.rss_bytes.values()) <= sum(early.rss_bytes.values()) + LARGEST_GROWTH_BYTES


def unforeseen(gateway: GatewayProcess) -> list[dict[str, Any]]:
    """Errors in the log that the gateway has no answer for; it shares its standard error with C libraries."""
    lines = gateway.log_file.read_text(errors="replace").splitlines()
    entries = [json.loads(line) for line in lines if line.startswith('{"time": ') and line.endswith("}")]
    return [entry for entry in entries if "traceback" in entry]
