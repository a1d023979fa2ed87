"""The two gateways of `benchmarks.gpu_serving`, and how a load is put on one of them or on its Triton."""

import contextlib
import json
import urllib.request
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

from benchmarks.gateway_under_test import GATEWAY_ROLE, RunningGateway, running_gateway
from benchmarks.line_worker import LineWorker
from benchmarks.resident_model import HARDWARE_CLASS

System = Literal["cuda", "cpu", "bare"]
PATHS: tuple[System, ...] = ("cuda", "cpu")
BARE: System = "bare"
_START_SECONDS = 300.0
_WARM_UP_SHARE, _LEAST_WARM_UP_SECONDS = 0.2, 0.5
_STATUS_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Load:
    """What is asked of whom.

    Attributes:
        system: A gateway, by where it prepares frames; or ``bare``: a Triton, with tensors prepared beforehand.
        clients: At one time.
        frame_wh: Size of the frames.
    """

    system: System
    clients: int
    frame_wh: tuple[int, int]

    def facts(self) -> dict[str, Any]:
        """For JSON."""
        return {"system": self.system, "clients": self.clients, "frame_wh": self.frame_wh}

    def __str__(self) -> str:
        width, height = self.frame_wh
        return f"{self.system}, {width}x{height}, {self.clients} clients"


class GpuServingSystems:
    """Both gateways and the load generators, all up for the whole measurement; who is not asked sleeps.

    Args:
        work: Its folder ``seed`` has the build; state and logs go beside it.
        build: Name of the build.
        frames: Picture files by their size.
        on_gpu: A bare Triton gets its tensors in the GPU's memory.
    """

    def __init__(
        self, work: Path, build: str, frames: Mapping[tuple[int, int], Sequence[Path]], *, on_gpu: bool
    ) -> None:
        self._work = work
        self._build = build
        self._frames = frames
        self._on_gpu = on_gpu
        self._stack = contextlib.ExitStack()
        self._gateways: dict[str, RunningGateway] = {}
        self._generators: dict[tuple[int, int], LineWorker] = {}

    def __enter__(self) -> Self:
        try:
            for path in PATHS:
                self._gateways[path] = self._stack.enter_context(self._gateway(path))
            for size_wh, paths in self._frames.items():
                worker = LineWorker("benchmarks.load_generator", [str(each) for each in paths])
                self._generators[size_wh] = self._stack.enter_context(worker)
        except BaseException:
            self._stack.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def _gateway(self, path: str) -> contextlib.AbstractContextManager[RunningGateway]:
        work = self._work / f"gateway-{path}"
        work.mkdir()
        settings = {"PREPROCESS": path, "ACCEPTED_CLASSES": HARDWARE_CLASS}
        return running_gateway(self._work / "seed", work, settings, start_seconds=_START_SECONDS)

    def run(self, load: Load, seconds: float) -> dict[str, Any]:
        """Put a load on; returns what the load generator says of it."""
        gateway = self._gateways["cuda" if load.system == BARE else load.system]
        generator = self._generators[load.frame_wh]
        bare = {"build": str(self._work / "seed" / self._build), "on_gpu": self._on_gpu}
        generator.send(
            {
                "target": "triton" if load.system == BARE else "gateway-grpc",
                "address": gateway.triton_address if load.system == BARE else gateway.grpc_address,
                "model": self._build.partition("-")[0],
                **(bare if load.system == BARE else {}),
                "clients": load.clients,
                "warmup_seconds": max(_LEAST_WARM_UP_SECONDS, _WARM_UP_SHARE * seconds),
                "seconds": seconds,
                "roots": {GATEWAY_ROLE: gateway.pid},
            }
        )
        return generator.receive()

    def chosen_paths(self) -> dict[str, dict[str, Any]]:
        """What each gateway says of itself: where frames are prepared, how tensors travel, and why not otherwise."""
        told = ("preprocessing", "preprocessing_reason", "transport", "transport_reasons")
        chosen = {}
        for path, gateway in self._gateways.items():
            url = f"http://{gateway.admin_address}/status"
            with urllib.request.urlopen(url, timeout=_STATUS_SECONDS) as answer:
                (worker,) = json.load(answer)["workers"]
            chosen[path] = {name: worker[name] for name in told}
        return chosen
