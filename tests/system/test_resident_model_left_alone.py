"""The resident model when its gateway is killed while it works, and over many frames.

What a driver does with memory whose owner is killed is not known beforehand: on a GPU these tests show it.
"""

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from benchmarks.soak_summary import MemoryReading, early_and_late, summarise_soak
from contracts.model_card import ModelCard
from gateway.triton.connection import TritonConnection
from gateway.triton.region_register import RegionRegister
from tests.system.conftest import Measured
from tests.system.gateway_process import GatewayProcess, TritonProcess, wait_for
from tests.system.held_resources import HeldResources, read_held
from tests.system.resident_leg import LEGS, LOG_LINES, SHAPES, Leg, expected_rows, found_rows, halves
from tests.system.sizes import Sizes
from tests.system.test_resident_model import assert_alike
from tests.system.test_triton_alone import gateway_of

pytestmark = pytest.mark.long

PAUSE_MS = 3000.0
SHORT_FRAMES = 500
CLIENTS = 4
MOST_MORE_DEVICE_BYTES = 16 * 2**20
PICTURES = [halves(level, 330 - level) for level in range(120, 211, 10)]


@pytest.fixture(params=LEGS)
def leg(request: pytest.FixtureRequest) -> Leg:
    found: Leg = request.param
    return found


@pytest.fixture
def triton(leg: Leg, tmp_path: Path) -> Iterator[TritonProcess]:
    """In front of it a gateway may be killed; its models take their time."""
    leg.write_builds(tmp_path / "seed", pause_ms=PAUSE_MS)
    process = TritonProcess(tmp_path / "state", tmp_path / "seed")
    process.start()
    try:
        process.wait_until_live()
        yield process
    finally:
        process.close()


async def test_triton_serves_the_next_gateway_when_one_is_killed_with_frames_in_work(
    leg: Leg, triton: TritonProcess, tmp_path: Path
) -> None:
    cards = leg.write_builds(tmp_path / "cards")
    server = triton.server().pid
    first = gateway_of(triton, probe_seconds=0, preprocess=leg.preprocess)
    first.start()
    with ThreadPoolExecutor(len(SHAPES)) as callers:
        try:
            first.wait_until_serving(*SHAPES, timeout_seconds=leg.start_seconds)
            answers = [callers.submit(found_rows, first, model, PICTURES[0]) for model in SHAPES]
            working = f'"{LOG_LINES[leg.name]}"'
            wait_for(lambda: triton.log_file.read_text().count(working) == len(SHAPES), 30.0, triton.log)
        finally:
            first.kill()
        assert all(isinstance(answer.exception(), httpx.TransportError) for answer in answers)
    second = gateway_of(triton, probe_seconds=0, preprocess=leg.preprocess)
    second.start()
    try:
        second.wait_until_serving(*SHAPES, timeout_seconds=leg.start_seconds)
        for model, card in cards.items():
            assert_alike(found_rows(second, model, PICTURES[1]), expected_rows(card, PICTURES[1]))
        assert [worker["transport"] for worker in second.status()["workers"]] == [leg.transport]
        assert triton.server().pid == server
        for _ in range(600):  # what the models worked on goes when they are done
            if len(await regions_at(triton)) == 1:
                break
            await asyncio.sleep(0.1)
        assert len(await regions_at(triton)) == 1
    finally:
        second.close()


async def regions_at(triton: GatewayProcess) -> tuple[str, ...]:
    connection = TritonConnection(triton.triton_address)
    try:
        return await RegionRegister(connection).names()
    finally:
        await connection.close()


class Traffic:
    """Some callers at once that know each answer; every hundredth part of the frames is reported.

    Args:
        gateway: That serves the resident models.
        cards: Of the models.
        frames: How many.
        report: Told the number of frames answered.
    """

    def __init__(
        self, gateway: GatewayProcess, cards: dict[str, ModelCard], frames: int, report: Callable[[int], None]
    ) -> None:
        self._gateway = gateway
        self._asked = [(model, picture) for picture in PICTURES for model in cards]
        self._expected = [expected_rows(cards[model], picture) for model, picture in self._asked]
        self._frames = frames
        self._report = report
        self._lock = threading.Lock()
        self._begun = self._answered = 0

    def run(self) -> float:
        """Returns how many seconds it took.

        Raises:
            AssertionError: A frame was not answered, or wrongly.
        """
        began_at = time.monotonic()
        with ThreadPoolExecutor(CLIENTS) as callers:
            for ended in [callers.submit(self._call) for _ in range(CLIENTS)]:
                ended.result()
        return time.monotonic() - began_at

    def _call(self) -> None:
        with httpx.Client(base_url=self._gateway.http_url, trust_env=False, timeout=60.0) as client:
            while (number := self._next()) is not None:
                model, picture = self._asked[number % len(self._asked)]
                assert_alike(
                    found_rows(self._gateway, model, picture, client), self._expected[number % len(self._asked)]
                )
                self._count()

    def _next(self) -> int | None:
        with self._lock:
            self._begun += 1
            return self._begun - 1 if self._begun <= self._frames else None

    def _count(self) -> None:
        with self._lock:
            self._answered += 1
            if self._answered % max(1, self._frames // 100) == 0:
                self._report(self._answered)


@pytest.mark.soak
async def test_many_frames_take_no_more_memory_and_no_slot(
    leg: Leg, tmp_path: Path, sizes: Sizes, measured: Measured
) -> None:
    frames = sizes.requests if leg.on_gpu else SHORT_FRAMES
    cards = leg.write_builds(tmp_path / "seed")
    gateway = GatewayProcess(tmp_path / "state", tmp_path / "seed", preprocess=leg.preprocess)
    gateway.start()
    try:
        gateway.wait_until_serving(*cards, timeout_seconds=leg.start_seconds)
        device_bytes = leg.device_bytes_reader()
        held, on_device = list[HeldResources](), list[tuple[int, dict[str, float]]]()

        def read(answered: int) -> None:
            held.append(read_held(gateway, answered))
            on_device.append((answered, {"device": device_bytes()}))

        seconds = await asyncio.to_thread(Traffic(gateway, cards, frames, read).run)
        memory = summarise_soak(
            "resident",
            [MemoryReading(each.requests, each.rss_bytes) for each in held],
            requests=frames,
            failures=0,
            seconds=seconds,
        )
        early, late = early_and_late(on_device, frames)
        facts = {"path": leg.name, "frames": frames, "seconds": seconds, "device_bytes": [early, late]}
        measured("resident model", facts | {"memory_mib": [memory.early_mib, memory.late_mib]})
        assert memory.steady, memory
        assert late["device"] - early["device"] <= MOST_MORE_DEVICE_BYTES
        assert held[-1].regions == held[len(held) // 5].regions
        assert len(await regions_at(gateway)) == 1
        assert (gateway.metric("outpost_in_flight"), gateway.metric("outpost_queue_depth")) == (0, 0)
        assert [worker["transport"] for worker in gateway.status()["workers"]] == [leg.transport]
    finally:
        gateway.close()
