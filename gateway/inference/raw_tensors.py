"""Tensors for a build's own name: passed through to Triton."""

import time
from collections.abc import Callable, Mapping
from typing import Protocol

from gateway.catalogue import Catalogue
from gateway.errors import BadRequest, InstanceLost, ModelNotReady, UnknownModel
from gateway.frames.admission import Admission
from gateway.inference.frame_request import CLASSIFICATION_PARAMETER
from gateway.messages import InferRequest, InferResponse


class Tensors(Protocol):
    """Runs a build on a caller's tensors."""

    async def infer(self, request: InferRequest, timeout_seconds: float) -> InferResponse:
        """See ``TensorClient.infer``."""
        ...

    async def output_datatypes(self, model: str) -> Mapping[str, str]:
        """See ``TensorClient.output_datatypes``."""
        ...


class RawTensors:
    """The path of requests to a build.

    Args:
        catalogue: Returns the current snapshot.
        admission: Bounds the requests in work.
        tensors: Triton.
        on_instance_lost: Told about an instance that died under a request.
        on_executed: Told the name of the build, twice, each time it has run on a request.
        clock: Monotonic seconds.
    """

    def __init__(
        self,
        catalogue: Callable[[], Catalogue],
        admission: Admission,
        tensors: Tensors,
        *,
        on_instance_lost: Callable[[InstanceLost], None],
        on_executed: Callable[[str, str], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._catalogue = catalogue
        self._admission = admission
        self._tensors = tensors
        self._on_instance_lost = on_instance_lost
        self._on_executed = on_executed
        self._clock = clock

    async def infer(self, request: InferRequest, deadline_at: float) -> InferResponse:
        """Pass a request on, by a deadline in monotonic seconds.

        Raises:
            GatewayError: See ``gateway.errors``.
        """
        catalogue = self._catalogue()
        build = catalogue.builds.get(request.model)
        if build is None:
            raise UnknownModel(request.model, catalogue.names())
        if not build.ready:
            raise ModelNotReady(request.model, catalogue.not_ready_reason(request.model))
        if any(CLASSIFICATION_PARAMETER in output.parameters for output in request.outputs):
            require_numeric_outputs(request, await self._tensors.output_datatypes(request.model))
        try:
            async with self._admission.slot(deadline_at):
                answer = await self._tensors.infer(request, max(0.0, deadline_at - self._clock()))
        except InstanceLost as error:
            self._on_instance_lost(error)
            raise
        self._on_executed(request.model, request.model)
        return answer


def require_numeric_outputs(request: InferRequest, datatypes: Mapping[str, str]) -> None:
    """Keep a request away from Triton that would end it: Triton 2.51 crashes on ``classification`` of a BYTES output.

    Raises:
        BadRequest: Such an output is asked for.
    """
    for output in request.outputs:
        if CLASSIFICATION_PARAMETER in output.parameters and datatypes.get(output.name) == "BYTES":
            raise BadRequest(f"outputs.{output.name}", "numbers for the parameter classification", "BYTES")
