"""What the HTTP handlers need from the rest of the gateway."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from google.protobuf.message import Message

from gateway.catalogue import Catalogue
from gateway.messages import ClassificationResult, DetectionResult, InferRequest, InferResponse
from gateway.metrics import ServingMetrics


class Inference(Protocol):
    """The workflow."""

    async def infer(self, request: InferRequest) -> InferResponse:
        """See ``InferenceService.infer``."""
        ...

    async def detect(
        self,
        alias: str,
        frames: Sequence[bytes | memoryview],
        *,
        deadline_at: float | None,
        key: str = "",
        threshold: float | None = None,
    ) -> DetectionResult:
        """See ``InferenceService.detect``."""
        ...

    async def classify(
        self,
        alias: str,
        frames: Sequence[bytes | memoryview],
        *,
        deadline_at: float | None,
        key: str = "",
        threshold: float | None = None,
    ) -> ClassificationResult:
        """See ``InferenceService.classify``."""
        ...


class ModelCalls(Protocol):
    """Triton's read-only calls."""

    async def call(self, method: str, message: Message, timeout_seconds: float) -> Message:
        """See ``TensorClient.call``."""
        ...


@dataclass(frozen=True, slots=True)
class HttpLimits:
    """What one request may take."""

    max_request_bytes: int = 64 * 2**20
    max_pixels: int = 50_000_000
    body_timeout_seconds: float = 30.0
    call_timeout_seconds: float = 10.0


@dataclass(frozen=True, slots=True)
class HttpPorts:
    """The collaborators of every handler."""

    inference: Inference
    models: ModelCalls
    catalogue: Callable[[], Catalogue]
    metrics: ServingMetrics
    clock: Callable[[], float]
    limits: HttpLimits

    def model_label(self, name: str) -> str:
        """A label for metrics: a known name, or ``unknown``, so that callers cannot make labels."""
        return name if self.catalogue().knows(name) else "unknown"
