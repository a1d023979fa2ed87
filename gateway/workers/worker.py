"""A worker: the two servers, the workflow and the frame memory, following the supervisor's catalogue."""

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from prometheus_client import CollectorRegistry

from gateway.access.bearer_tokens import BearerTokens
from gateway.access.server_certificate import ServerCertificate
from gateway.body_budget import BodyBudget
from gateway.catalogue import Catalogue
from gateway.cores import usable_cores
from gateway.errors import GatewayError, InstanceLost
from gateway.frames.admission import Admission
from gateway.frames.frame_events import FrameEvents
from gateway.frames.pipeline import FramePipeline
from gateway.frames.regions import FrameRegions
from gateway.grpc_api.server import GrpcServer, OipServicer
from gateway.http_api.server import HttpServer, build_http_app
from gateway.inference.service import InferenceService
from gateway.listeners import listen
from gateway.metrics import ServingMetrics
from gateway.preprocessing_choice import PreprocessingChoice
from gateway.settings import Settings
from gateway.supervision.state_folder import StateFolder
from gateway.transport import Transport
from gateway.triton.connection import TritonConnection
from gateway.triton.frame_client import FrameClient
from gateway.triton.tensor_client import TensorClient
from gateway.workers.preprocessing import Preprocessing
from vision.opencv_settings import use_opencv_quietly

_LOG = logging.getLogger(__name__)


def worker_memory_prefix(settings: Settings, pid: int) -> str:
    """Beginning of the names of a worker's frame memory."""
    return f"{StateFolder(settings.state_dir).frame_memory_prefix}{pid}_"


def certificate_of(settings: Settings) -> ServerCertificate | None:
    """What the settings name; None serves in plain text.

    Raises:
        SecretUnusable: A file cannot be used.
    """
    if settings.tls_certificate is None or settings.tls_key is None:
        return None
    return ServerCertificate(settings.tls_certificate, settings.tls_key)


def tokens_of(settings: Settings) -> BearerTokens | None:
    """What the settings name; None asks for no token.

    Raises:
        SecretUnusable: The file cannot be used.
    """
    return None if settings.token_file is None else BearerTokens(settings.token_file)


class Worker:
    """Serves until it is stopped.

    Args:
        settings: Of the gateway.
        memory_prefix: Beginning of the names of this worker's shared memory.
        on_instance_lost: Told about dead instances.
        registry: For its metrics.
        agreed: How frames are prepared, where another worker of the gateway has found that out.
        gpu_lost: Whether the process that this one takes the place of had lost its GPU.
    """

    def __init__(
        self,
        settings: Settings,
        memory_prefix: str,
        on_instance_lost: Callable[[InstanceLost], None],
        registry: CollectorRegistry,
        agreed: PreprocessingChoice | None = None,
        *,
        gpu_lost: bool = False,
    ) -> None:
        use_opencv_quietly()
        self._settings = settings
        self.catalogue = Catalogue()
        self.metrics = ServingMetrics(registry)
        self._connection = TritonConnection(settings.triton_address)
        frame_client = FrameClient(self._connection)
        tensors = TensorClient(self._connection)
        cores = usable_cores()
        self._threads = ThreadPoolExecutor(cores, thread_name_prefix="frames")
        self.preprocessing = Preprocessing(settings, self._threads, self.metrics, agreed, was_lost=gpu_lost)
        max_in_flight = settings.max_in_flight or 2 * cores + 2
        self._admission = Admission(max_in_flight, settings.max_queue)
        self.regions = FrameRegions(
            frame_client,
            memory_prefix,
            max_in_flight,
            use_shared_memory=settings.shared_memory == "auto",
            on_transport=self._use_transport,
            make_device_memory=self.preprocessing.make_device_memory,
        )
        self.preprocessing.when_lost(self.regions.leave_device)
        self._bodies = BodyBudget(settings.bodies_limit_bytes)
        self.metrics.body_bytes.set_function(lambda: self._bodies.held_bytes)
        self.metrics.queue_depth.set_function(lambda: self._admission.waiting)
        self.metrics.in_flight.set_function(lambda: self._admission.in_flight)
        pipeline = FramePipeline(
            self._admission,
            self.regions,
            frame_client,
            self.preprocessing.preparer,
            events=FrameEvents(
                instance_lost=on_instance_lost,
                retried=lambda build: self.metrics.retries.labels(build).inc(),
                executed=self.metrics.count_execution,
                device_lost=self.preprocessing.lose,
            ),
        )
        self._service = InferenceService(
            self._current_catalogue,
            self._admission,
            pipeline,
            tensors,
            self.metrics,
            default_timeout_seconds=settings.default_timeout_seconds,
            on_instance_lost=on_instance_lost,
        )
        self._tensors = tensors
        self._grpc: GrpcServer | None = None
        self._http: HttpServer | None = None

    def _use_transport(self, transport: Transport) -> None:
        self.metrics.use_transport(transport, self.regions.refusals)
        self.preprocessing.use_transport(transport)

    def _current_catalogue(self) -> Catalogue:
        return self.catalogue

    async def accept(self, catalogue: Catalogue) -> None:
        """Put a catalogue in force, once the frame memory fits it.

        Raises:
            TritonUnavailable, DeadlineExceeded: Triton is away; until the catalogue is given again, nothing is ready.
        """
        try:
            await self.regions.refresh(catalogue)
        except GatewayError as error:
            self.catalogue = catalogue.model_copy(update={"triton_up": False, "triton_reason": str(error)})
            raise
        self.catalogue = catalogue

    async def start(self) -> None:
        """Listen.

        Raises:
            PortTaken: An address cannot be bound.
            SecretUnusable: A certificate, key or token file.
        """
        settings = self._settings
        certificate, tokens = certificate_of(settings), tokens_of(settings)
        servicer = OipServicer(
            self._current_catalogue,
            self._service,
            self._tensors,
            self.metrics,
            self._bodies,
            log_all=settings.log_requests == "all",
        )
        self._grpc = GrpcServer(
            servicer,
            f"{settings.host}:{settings.grpc_port}",
            settings.max_request_bytes,
            credentials=None if certificate is None else certificate.grpc_credentials(),
            tokens=tokens,
        )
        app = build_http_app(
            self._current_catalogue, self._service, self._tensors, self.metrics, self._bodies, settings, tokens=tokens
        )
        listener = listen("http_port", settings.host, settings.http_port)
        tls = None if certificate is None else certificate.http_context()
        self._http = HttpServer(app, listener, drain_seconds=settings.drain_seconds, tls=tls)
        await self._grpc.start()
        await self._http.start()
        _LOG.info("worker serves", extra={"http_port": self._http.port, "grpc_port": self._grpc.port})

    @property
    def http_port(self) -> int:
        """Where HTTP is served."""
        return self._http.port if self._http else 0

    @property
    def grpc_port(self) -> int:
        """Where gRPC is served."""
        return self._grpc.port if self._grpc else 0

    async def stop(self) -> None:
        """Finish the requests in work, then free everything."""
        stops = []
        if self._grpc is not None:
            stops.append(self._grpc.stop(self._settings.drain_seconds))
        if self._http is not None:
            stops.append(self._http.stop())
        await asyncio.gather(*stops)
        await self.regions.close()
        await self._connection.close()
        self.preprocessing.close()
        self._threads.shutdown(wait=False)
