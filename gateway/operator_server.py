"""What operators and the device agent ask: metrics on 8002, status on the admin listener (loopback)."""

from collections.abc import Awaitable, Callable
from typing import Any

from prometheus_client import CollectorRegistry, Gauge, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from gateway.catalogue import Catalogue
from gateway.workers.merged_metrics import MergedCollector


class SupervisorMetrics:
    """What only the supervisor knows.

    Args:
        registry: Where the families are registered.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        self.registry = registry
        self._up = Gauge("outpost_triton_up", "1 while Triton answers", registry=registry)
        self._starts = Gauge("outpost_triton_starts", "How often Triton came up", registry=registry)
        self._ready = Gauge("outpost_build_ready", "1 while a build answers", ["build"], registry=registry)
        self._alias = Gauge("outpost_model_ready", "1 while an alias answers", ["model"], registry=registry)
        self.machine_class = Gauge(
            "outpost_machine_class", "1; the label is the machine's class", ["hardware_class"], registry=registry
        )
        self.shared_memory_expected = Gauge(
            "outpost_shared_memory_expected",
            "Workers whose tensors should reach Triton through shared memory; 0 where that is switched off",
            registry=registry,
        )
        self._cascade = Gauge(
            "outpost_cascade", "1; a cascade and its two aliases", ["model", "first", "then"], registry=registry
        )
        self._refused = Gauge(
            "outpost_build_refused",
            "1 while a build is not loaded since it is for hardware of another class",
            ["build"],
            registry=registry,
        )
        self._building = Gauge(
            "outpost_build_building",
            "1 while the TensorRT plan of a build is being made on this machine",
            ["build"],
            registry=registry,
        )
        self._building_since = Gauge(
            "outpost_build_building_since_seconds",
            "Unix time at which that began; absent for other builds",
            ["build"],
            registry=registry,
        )
        self.active_file_ok = Gauge(
            "outpost_active_file_ok",
            "0 while active.json is malformed and its last good content is used",
            registry=registry,
        )

    def observe(self, catalogue: Catalogue) -> None:
        """Record a catalogue."""
        self._up.set(catalogue.triton_up)
        self._starts.set(catalogue.generation)
        self._ready.clear()
        self._refused.clear()
        self._building.clear()
        self._building_since.clear()
        for build in catalogue.builds.values():
            self._ready.labels(build.name).set(build.ready)
            self._refused.labels(build.name).set(build.refused)
            self._building.labels(build.name).set(build.building_since is not None)
            if build.building_since is not None:
                self._building_since.labels(build.name).set(build.building_since)
        self._cascade.clear()
        for name, cascade in catalogue.cascades.items():
            self._cascade.labels(name, cascade.first, cascade.then).set(1)
        self._alias.clear()
        for alias in catalogue.names_for_pictures():
            self._alias.labels(alias).set(catalogue.alias_is_ready(alias))


def metrics_app(texts: Callable[[], Awaitable[list[str]]], own: CollectorRegistry) -> Starlette:
    """``GET /metrics``: the workers' sums and the supervisor's own.

    Args:
        texts: Asks every worker.
        own: The supervisor's registry.
    """

    async def metrics(_request: Request) -> Response:
        merged = CollectorRegistry()
        merged.register(MergedCollector(await texts()))
        return Response(generate_latest(merged) + generate_latest(own), media_type=CONTENT_TYPE_LATEST)

    return Starlette(routes=[Route("/metrics", metrics)])


def admin_app(status: Callable[[], Awaitable[dict[str, Any]]], catalogue: Callable[[], Catalogue]) -> Starlette:
    """``GET /status``: everything that ``outpost-gateway check`` shows. ``GET /ready``: 200, or 503 with the reasons.

    Args:
        status: Builds the answer.
        catalogue: What is served.
    """

    async def answer(_request: Request) -> Response:
        return JSONResponse(await status())

    async def ready(_request: Request) -> Response:
        reasons = catalogue().reasons_not_ready()
        return PlainTextResponse("".join(f"{reason}\n" for reason in reasons) or "ready\n", 503 if reasons else 200)

    return Starlette(routes=[Route("/status", answer), Route("/ready", ready)])
