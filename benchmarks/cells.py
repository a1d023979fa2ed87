"""What is measured, in which order, and how several rounds become one number. Pure."""

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

System = Literal["ceiling", "gateway-grpc", "gateway-http", "triton", "plain", "tuned"]

CONCURRENCY = (1, 4, 16)
MOST_CLIENTS = 16
CEILING_ROLE = "in process"

TITLES: Mapping[System, str] = {
    "ceiling": "(a) in process, one per core",
    "gateway-grpc": "(b) gateway, gRPC",
    "gateway-http": "(b) gateway, HTTP",
    "triton": "(c) Triton alone, tensors ready",
    "plain": "(d) FastAPI, ONNX Runtime FP32",
    "tuned": "(d2) FastAPI, our runtime",
}


@dataclass(frozen=True, slots=True)
class Cell:
    """One system under one load; ``clients`` is 0 for the ceiling, which has none."""

    system: System
    clients: int

    @property
    def title(self) -> str:
        """For people."""
        return TITLES[self.system] + (f", {self.clients} clients" if self.clients > 1 else "")


@dataclass(frozen=True, slots=True)
class CellResult:
    """What one cell gave, in one round or as the median of several.

    Attributes:
        images_per_second: Answers with a result.
        latency_ms: ``p50``, ``p95``, ``p99``, ``max``; empty where nothing was answered.
        cpu_ms_per_image: CPU time by process role.
        prepare_cpu_ms: CPU time of decode and letterbox of one image; known for the ceiling alone.
        failures: Requests without a result, all rounds together.
        rounds: Images per second of each round.
    """

    images_per_second: float
    latency_ms: Mapping[str, float] = field(default_factory=dict)
    cpu_ms_per_image: Mapping[str, float] = field(default_factory=dict)
    prepare_cpu_ms: float | None = None
    failures: int = 0
    rounds: tuple[float, ...] = ()


def all_cells() -> tuple[Cell, ...]:
    """Every cell of a model, in the order of a round: neighbours share as little as possible."""
    return (
        Cell("ceiling", 0),
        *(Cell("gateway-grpc", clients) for clients in CONCURRENCY),
        Cell("triton", MOST_CLIENTS),
        *(Cell("plain", clients) for clients in (1, MOST_CLIENTS)),
        *(Cell("gateway-http", clients) for clients in CONCURRENCY),
        *(Cell("tuned", clients) for clients in (1, MOST_CLIENTS)),
    )


def median_result(rounds: Sequence[CellResult]) -> CellResult:
    """The median of each number; failures are added up.

    Raises:
        ValueError: No rounds.
    """
    if not rounds:
        raise ValueError("no rounds to take the median of")
    prepare = [each.prepare_cpu_ms for each in rounds if each.prepare_cpu_ms is not None]
    return CellResult(
        images_per_second=statistics.median(each.images_per_second for each in rounds),
        latency_ms=_median_by_key([each.latency_ms for each in rounds]),
        cpu_ms_per_image=_median_by_key([each.cpu_ms_per_image for each in rounds]),
        prepare_cpu_ms=statistics.median(prepare) if prepare else None,
        failures=sum(each.failures for each in rounds),
        rounds=tuple(each.images_per_second for each in rounds),
    )


def _median_by_key(values: Sequence[Mapping[str, float]]) -> dict[str, float]:
    keys = dict.fromkeys(key for each in values for key in each)
    return {key: statistics.median(each[key] for each in values if key in each) for key in keys}
