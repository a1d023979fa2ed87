"""The real HTTP side of a gateway on a loopback port, with only Triton replaced."""

import asyncio
import socket
import ssl
import time
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass

import httpx
from prometheus_client import CollectorRegistry

from contracts.active_models import ActiveModel
from contracts.model_card import InputSpec, ModelCard
from gateway.access.bearer_tokens import BearerTokens
from gateway.body_budget import BodyBudget
from gateway.catalogue import Catalogue, LoadedBuild
from gateway.errors import InstanceLost
from gateway.frame_memory import FrameMemory, HostFrameMemory
from gateway.frames.admission import Admission
from gateway.frames.frame_events import FrameEvents
from gateway.frames.pipeline import FramePipeline
from gateway.frames.preparer import HostPreparer
from gateway.http_api.server import HttpServer, build_http_app
from gateway.inference.service import InferenceService
from gateway.metrics import ServingMetrics
from gateway.settings import Settings
from tests.fakes.fake_frame_backend import FakeFrameBackend
from tests.fakes.fake_tensors import FakeTensors

INFER = "/v2/models/defects/infer"
RAW = {"Inference-Header-Content-Length": "0"}
BUILD = "defects-1.0.0_x86-cpu"
RAW_BUILD = "plain-1.0.0_x86-cpu"
LABELS = ("scratch", "pit")
CARD = ModelCard(
    model="defects",
    version="1.0.0",
    hardware_class="x86-cpu",
    labels=LABELS,
    input=InputSpec(width=64, height=64),
)


def ready_catalogue() -> Catalogue:
    """One alias with its build, and a build that only passes through."""
    return Catalogue(
        generation=1,
        triton_up=True,
        triton_version="2.51.0",
        aliases={"defects": ActiveModel(stable=BUILD)},
        builds={
            BUILD: LoadedBuild(name=BUILD, ready=True, card=CARD),
            RAW_BUILD: LoadedBuild(name=RAW_BUILD, ready=True),
        },
    )


@dataclass
class StaticMemory:
    """Implements ``MemorySource``."""

    current: HostFrameMemory

    async def register_again(self, memory: FrameMemory) -> None:
        """Nothing is ever lost."""

    def leave(self, memory: FrameMemory) -> None:
        """No output is ever written into a slot."""


@dataclass
class HttpGateway:
    """What a test may look at and change."""

    port: int
    backend: FakeFrameBackend
    tensors: FakeTensors
    admission: Admission
    bodies: BodyBudget
    registry: CollectorRegistry
    server: HttpServer
    catalogue: Catalogue
    lost: list[InstanceLost]

    @property
    def address(self) -> str:
        """``host:port``."""
        return f"127.0.0.1:{self.port}"

    @property
    def url(self) -> str:
        """With the scheme."""
        return f"http://{self.address}"

    def count(self, name: str, **labels: str) -> float:
        """A sample of the metrics; 0 where it does not exist."""
        return self.registry.get_sample_value(name, labels) or 0.0


@asynccontextmanager
async def running_http_gateway(
    candidates: Sequence[Sequence[float]] = (),
    *,
    max_in_flight: int = 4,
    max_queue: int = 4,
    settings: Settings | None = None,
    tokens: BearerTokens | None = None,
    tls: ssl.SSLContext | None = None,
) -> AsyncIterator[HttpGateway]:
    """Serve until the end of the block."""
    settings = settings or Settings()
    registry = CollectorRegistry()
    metrics = ServingMetrics(registry)
    backend, tensors = FakeFrameBackend(candidates), FakeTensors()
    admission = Admission(max_in_flight, max_queue)
    bodies = BodyBudget(settings.bodies_limit_bytes)
    memory = StaticMemory(HostFrameMemory(None, max_in_flight, CARD.input.size_bytes))
    lost: list[InstanceLost] = []
    listener = socket.create_server(("127.0.0.1", 0))
    with ThreadPoolExecutor(2) as threads:
        pipeline = FramePipeline(
            admission,
            memory,
            backend,
            HostPreparer(threads, max_pixels=settings.max_pixels),
            events=FrameEvents(
                lost.append,
                lambda build: metrics.retries.labels(build).inc(),
                metrics.count_execution,
                lambda _: None,
            ),
        )
        service = InferenceService(
            lambda: gateway.catalogue,
            admission,
            pipeline,
            tensors,
            metrics,
            default_timeout_seconds=settings.default_timeout_seconds,
            on_instance_lost=lost.append,
            clock=time.monotonic,
        )
        app = build_http_app(lambda: gateway.catalogue, service, tensors, metrics, bodies, settings, tokens=tokens)
        server = HttpServer(app, listener, settings.drain_seconds, tls=tls)
        gateway = HttpGateway(
            listener.getsockname()[1], backend, tensors, admission, bodies, registry, server, ready_catalogue(), lost
        )
        await server.start()
        try:
            yield gateway
        finally:
            await server.stop()


def client_of(gateway: HttpGateway) -> httpx.AsyncClient:
    """A client whose paths are relative to the gateway."""
    return httpx.AsyncClient(base_url=gateway.url, timeout=20, trust_env=False)


async def until(condition: Callable[[], bool], seconds: float = 10.0) -> None:
    """Wait for a state."""
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 - waits for a state without an event
            await asyncio.sleep(0.005)
