"""What the gateway is meant to reach, and whether it does. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from benchmarks.cells import CEILING_ROLE, MOST_CLIENTS, Cell, CellResult, System
from gateway.load.process_cpu import BACKEND, TRITON

GATEWAY = "gateway"
SERVER_CPU_OVER_CEILING_MS = 2.0
GATEWAY_CPU_BEYOND_PREPARE_MS = 1.5
LARGE_INPUT_PIXELS = 512 * 512
SHARE_OF_CEILING_LARGE, SHARE_OF_CEILING_SMALL = 0.90, 0.80
TIMES_PLAIN, TIMES_TUNED = 2.5, 1.0
_ENDPOINTS = (
    (Cell("plain", MOST_CLIENTS), "(d)", TIMES_PLAIN),
    (Cell("tuned", MOST_CLIENTS), "(d2)", TIMES_TUNED),
)


@dataclass(frozen=True, slots=True)
class Target:
    """One target with what was measured."""

    subject: str
    wanted: float
    measured: float
    direction: Literal["at least", "at most"]
    unit: str

    @property
    def met(self) -> bool:
        """Whether it is reached."""
        return self.measured >= self.wanted if self.direction == "at least" else self.measured <= self.wanted

    @property
    def missed_by(self) -> float:
        """Distance in its unit; 0 where it is met."""
        return 0.0 if self.met else abs(self.measured - self.wanted)

    @property
    def verdict(self) -> str:
        """In words."""
        if self.met:
            return "met"
        return f"missed by {self.missed_by:.2f} {self.unit}"


def evaluate(cells: Mapping[Cell, CellResult], input_pixels: int) -> tuple[Target, ...]:
    """The targets of one model, for both protocols at the highest concurrency.

    Args:
        cells: What was measured; targets whose parts are missing are left out.
        input_pixels: Width times height of the model's input: large inputs leave less to the overhead.
    """
    over_grpc = _evaluate_protocol(cells, "gateway-grpc", "gRPC", input_pixels)
    return (*over_grpc, *_evaluate_protocol(cells, "gateway-http", "HTTP", input_pixels))


def server_cpu_ms(result: CellResult) -> float:
    """CPU time of gateway and Triton for one image."""
    return sum(result.cpu_ms_per_image.get(role, 0.0) for role in (GATEWAY, TRITON, BACKEND))


def _evaluate_protocol(cells: Mapping[Cell, CellResult], system: System, name: str, input_pixels: int) -> list[Target]:
    served = cells.get(Cell(system, MOST_CLIENTS))
    ceiling = cells.get(Cell("ceiling", 0))
    if served is None:
        return []
    targets = []
    if ceiling is not None:
        targets += _against_ceiling(served, ceiling, name, input_pixels)
    for endpoint, label, times in _ENDPOINTS:
        bare = cells.get(endpoint)
        if bare is not None and bare.images_per_second > 0:
            ratio = served.images_per_second / bare.images_per_second
            targets.append(Target(f"{name}: images/s against {label}", times, ratio, "at least", "x"))
    return targets


def _against_ceiling(served: CellResult, ceiling: CellResult, name: str, input_pixels: int) -> list[Target]:
    ceiling_cpu = ceiling.cpu_ms_per_image.get(CEILING_ROLE, 0.0)
    targets = [
        Target(
            f"{name}: server CPU per image over (a)",
            SERVER_CPU_OVER_CEILING_MS,
            server_cpu_ms(served) - ceiling_cpu,
            "at most",
            "ms",
        )
    ]
    if ceiling.prepare_cpu_ms is not None:
        beyond = served.cpu_ms_per_image.get(GATEWAY, 0.0) - ceiling.prepare_cpu_ms
        subject = f"{name}: gateway's CPU beyond decode and letterbox"
        targets.append(Target(subject, GATEWAY_CPU_BEYOND_PREPARE_MS, beyond, "at most", "ms"))
    if ceiling.images_per_second > 0:
        share = SHARE_OF_CEILING_LARGE if input_pixels >= LARGE_INPUT_PIXELS else SHARE_OF_CEILING_SMALL
        ratio = served.images_per_second / ceiling.images_per_second
        targets.append(Target(f"{name}: images/s against (a)", share, ratio, "at least", "x"))
    return targets
