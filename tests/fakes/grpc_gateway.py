"""The real gRPC side of a gateway on a loopback port, with only the model replaced; Triton is down for all else."""

from collections.abc import AsyncIterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager

import grpc
import numpy as np
from numpy.typing import NDArray
from prometheus_client import CollectorRegistry

from gateway.access.bearer_tokens import BearerTokens
from gateway.body_budget import BodyBudget
from gateway.catalogue import Catalogue
from gateway.frame_memory import HostFrameMemory
from gateway.frames.admission import Admission
from gateway.frames.frame_events import FrameEvents
from gateway.frames.pipeline import FramePipeline
from gateway.frames.preparer import HostPreparer
from gateway.grpc_api.server import GrpcServer, OipServicer
from gateway.inference.service import InferenceService
from gateway.metrics import ServingMetrics
from gateway.triton.connection import TritonConnection
from gateway.triton.tensor_client import TensorClient
from tests.fakes.fake_frame_backend import FakeFrameBackend
from tests.fakes.http_gateway import CARD, StaticMemory, ready_catalogue

_NOBODY = "127.0.0.1:1"


@asynccontextmanager
async def running_grpc_gateway(
    candidates: Sequence[Sequence[float]] = (),
    *,
    catalogue: Catalogue | None = None,
    outputs: Mapping[str, NDArray[np.float32]] | None = None,
    max_queue: int = 4,
    max_bodies_bytes: int = 2**28,
    tokens: BearerTokens | None = None,
    credentials: grpc.ServerCredentials | None = None,
) -> AsyncIterator[str]:
    """Serve until the end of the block; gives ``host:port``. ``outputs`` are by build, instead of the candidates."""
    metrics = ServingMetrics(CollectorRegistry())
    known = catalogue or ready_catalogue()
    backend = FakeFrameBackend(candidates)
    backend.outputs.update(outputs or {})
    connection = TritonConnection(_NOBODY)
    tensors = TensorClient(connection)
    admission = Admission(4, max_queue)
    bodies = BodyBudget(max_bodies_bytes)
    with ThreadPoolExecutor(2) as threads:
        pipeline = FramePipeline(
            admission,
            StaticMemory(HostFrameMemory(None, 4, CARD.input.size_bytes)),
            backend,
            HostPreparer(threads, max_pixels=10_000_000),
            events=FrameEvents(lambda _: None, lambda _: None, metrics.count_execution, lambda _: None),
        )
        service = InferenceService(
            lambda: known,
            admission,
            pipeline,
            tensors,
            metrics,
            default_timeout_seconds=30.0,
            on_instance_lost=lambda _: None,
        )
        servicer = OipServicer(lambda: known, service, tensors, metrics, bodies)
        server = GrpcServer(servicer, "127.0.0.1:0", 2**26, credentials=credentials, tokens=tokens)
        await server.start()
        try:
            yield f"127.0.0.1:{server.port}"
        finally:
            await server.stop(0.0)
            await connection.close()
