"""Everything that is measured for one model, up at the same time, and how each cell of it is run."""

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np

from benchmarks.bench_models import BenchModel
from benchmarks.cells import CEILING_ROLE, Cell, CellResult
from benchmarks.child_server import child_server, free_ports
from benchmarks.gateway_under_test import GATEWAY_ROLE, running_gateway
from benchmarks.line_worker import LineWorker
from gateway.load.cpu_meter import OTHER
from gateway.load.latency_summary import LatencySummary
from gateway.load.process_cpu import cpu_ms_per_image

ENDPOINT_ROLE = "endpoint"


@dataclass(frozen=True, slots=True)
class CellLength:
    """Seconds."""

    warmup_seconds: float
    seconds: float


class ServingSystems:
    """A gateway with its Triton, the two bare endpoints, the in-process workers and the load generator.

    All are up for the whole measurement, so that rounds can be interleaved; who is not asked sleeps.

    Args:
        model: What they serve.
        frames: Picture files.
        work: A folder for state and logs.
        cores: Number of in-process workers.
    """

    def __init__(self, model: BenchModel, frames: Sequence[Path], work: Path, cores: int) -> None:
        self._model = model
        self._frames = [str(path) for path in frames]
        self._work = work
        self._cores = cores
        self._stack = contextlib.ExitStack()
        self._addresses: dict[str, str] = {}
        self._pids: dict[str, int] = {}

    def __enter__(self) -> Self:
        try:
            self._ceiling = [
                self._stack.enter_context(
                    LineWorker("benchmarks.in_process_worker", [str(self._model.build), *self._frames])
                )
                for _ in range(self._cores)
            ]
            self._generator = self._stack.enter_context(LineWorker("benchmarks.load_generator", self._frames))
            self._start_gateway()
            self._start_endpoint("plain", "onnxruntime")
            self._start_endpoint("tuned", "openvino")
        except BaseException:
            self._stack.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def measure(self, cell: Cell, length: CellLength) -> CellResult:
        """Run one cell."""
        if cell.system == "ceiling":
            return self._measure_ceiling(length)
        self._generator.send(
            {
                "target": "endpoint" if cell.system in ("plain", "tuned") else cell.system,
                "address": self._addresses[cell.system],
                "model": self._model.name,
                "build": str(self._model.build),
                "clients": cell.clients,
                "warmup_seconds": length.warmup_seconds,
                "seconds": length.seconds,
                "roots": self._roots(cell),
            }
        )
        return cell_result(self._generator.receive())

    def _measure_ceiling(self, length: CellLength) -> CellResult:
        for worker in self._ceiling:
            worker.send({"warmup_seconds": length.warmup_seconds, "seconds": length.seconds})
        return ceiling_result([worker.receive() for worker in self._ceiling])

    def _roots(self, cell: Cell) -> dict[str, int]:
        if cell.system in ("plain", "tuned"):
            return {ENDPOINT_ROLE: self._pids[cell.system]}
        return {GATEWAY_ROLE: self._pids["gateway"]}

    def _start_gateway(self) -> None:
        gateway = self._stack.enter_context(running_gateway(self._model.build.parent, self._work))
        self._pids["gateway"] = gateway.pid
        self._addresses |= {
            "gateway-grpc": gateway.grpc_address,
            "gateway-http": gateway.http_address,
            "triton": gateway.triton_address,
        }

    def _start_endpoint(self, name: str, runtime: str) -> None:
        (port,) = free_ports(1)
        arguments = ["benchmarks.plain_endpoint", "--runtime", runtime, "--port", str(port)]
        arguments += ["--onnx", str(self._model.plain), "--pixel-scale", repr(self._model.plain_scale)]
        arguments += ["--card", str(self._model.build / "card.json")]
        ready_url = f"http://127.0.0.1:{port}/health"
        server = child_server(name, arguments, ready_url=ready_url, log=self._work / f"{name}.log")
        self._pids[name] = self._stack.enter_context(server)
        self._addresses[name] = f"127.0.0.1:{port}"


def cell_result(answer: dict[str, Any]) -> CellResult:
    """What the load generator says, as a result."""
    latency = answer["latency"] or {}
    return CellResult(
        images_per_second=answer["images_per_second"],
        latency_ms={name: latency[f"{name}_ms"] for name in ("p50", "p95", "p99", "max") if latency},
        cpu_ms_per_image=answer["cpu_ms_per_image"],
        failures=sum(count for code, count in answer["codes"].items() if code != "OK"),
    )


def ceiling_result(answers: Sequence[dict[str, Any]]) -> CellResult:
    """What the in-process workers say together, as a result."""
    images = sum(answer["images"] for answer in answers)
    cpu_seconds = sum(answer["cpu_seconds"] for answer in answers)
    other_seconds = max(0.0, max(answer["host_busy_seconds"] for answer in answers) - cpu_seconds)
    latency = LatencySummary.of(np.concatenate([answer["latencies"] for answer in answers]).tolist())
    return CellResult(
        images_per_second=sum(answer["images"] / answer["seconds"] for answer in answers),
        latency_ms={"p50": latency.p50_ms, "p95": latency.p95_ms, "p99": latency.p99_ms, "max": latency.max_ms},
        cpu_ms_per_image=cpu_ms_per_image({CEILING_ROLE: cpu_seconds, OTHER: other_seconds}, images),
        prepare_cpu_ms=sum(answer["prepare_cpu_seconds"] for answer in answers) * 1e3 / images,
    )
