"""A canary inference: asks a build for an answer on a grey frame, as the only proof that it works."""

import time
from collections.abc import Callable
from typing import Protocol

from contracts.model_card import ModelCard
from gateway.catalogue import LoadedBuild
from gateway.errors import DeadlineExceeded, GatewayError, InstanceLost
from gateway.messages import InferRequest, InferResponse, RequestedOutput, Tensor

_TIMEOUT_SECONDS = 5.0


class TensorBackend(Protocol):
    """Runs a build on tensors."""

    async def infer(self, request: InferRequest, timeout_seconds: float) -> InferResponse:
        """See ``TensorClient.infer``."""
        ...

    async def answered(self, model: str) -> int:
        """See ``TensorClient.answered``."""
        ...


class Prober:
    """Probes each ready build now and then, and counts its failures in a row.

    Args:
        backend: Where to ask.
        interval_seconds: Between two probes of a build; 0 switches them off.
        clock: Monotonic seconds.
    """

    def __init__(
        self, backend: TensorBackend, interval_seconds: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._backend = backend
        self._interval_seconds = interval_seconds
        self._clock = clock
        self._next_at: dict[str, float] = {}
        self._failures: dict[str, int] = {}

    async def failing(self, build: LoadedBuild) -> int:
        """Probe the build when it is due.

        Returns:
            Failures in a row that only a remedy can explain away (no answer, or a dead instance); 0 when it answered
            or was not due.
        """
        if self._interval_seconds == 0 or build.card is None or self._clock() < self._next_at.get(build.name, 0.0):
            return 0
        self._next_at[build.name] = self._clock() + self._interval_seconds
        answered_before = await self._answered(build.name)
        try:
            await self._backend.infer(grey_frame(build.card), _TIMEOUT_SECONDS)
        except (InstanceLost, DeadlineExceeded):
            if await self._answered(build.name) != answered_before:
                return 0  # busy, not broken: others got their answers meanwhile
            self._failures[build.name] = self._failures.get(build.name, 0) + 1
            self._next_at[build.name] = self._clock() + 1.0
            return self._failures[build.name]
        except GatewayError:
            return 0
        self._failures.pop(build.name, None)
        return 0

    def forget(self) -> None:
        """Start counting anew."""
        self._failures.clear()

    async def _answered(self, build: str) -> int:
        try:
            return await self._backend.answered(build)
        except GatewayError:
            return -1


def grey_frame(card: ModelCard) -> InferRequest:
    """A request for one frame of the padding value."""
    spec = card.input
    data = bytes([spec.pad_value]) * spec.size_bytes if spec.datatype == "UINT8" else bytes(spec.size_bytes)
    return InferRequest(
        model=card.build,
        inputs=(Tensor(spec.name, spec.datatype, spec.shape, data),),
        outputs=(RequestedOutput(card.output.name),),
        id="outpost-probe",
    )
