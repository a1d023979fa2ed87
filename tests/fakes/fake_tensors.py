"""A Triton that answers raw requests with their own tensors."""

import asyncio
from collections.abc import Mapping
from dataclasses import replace

from google.protobuf.message import Message

from gateway.messages import InferRequest, InferResponse


class FakeTensors:
    """Implements ``Tensors`` and ``ModelCalls``: an input ``X`` comes back as output ``OX``."""

    def __init__(self) -> None:
        self.requests: list[InferRequest] = []
        self.calls: list[tuple[str, Message]] = []
        self.answers: dict[str, Message] = {}
        self.error: Exception | None = None
        self.open = asyncio.Event()
        self.open.set()

    async def infer(self, request: InferRequest, timeout_seconds: float) -> InferResponse:
        """Echo, while ``open`` is set."""
        self.requests.append(request)
        await self.open.wait()
        if self.error is not None:
            raise self.error
        wanted = {output.name for output in request.outputs}
        outputs = tuple(replace(tensor, name=f"O{tensor.name}", parameters={}) for tensor in request.inputs)
        chosen = tuple(tensor for tensor in outputs if not wanted or tensor.name in wanted)
        return InferResponse(request.model, "1", request.id, chosen)

    async def output_datatypes(self, model: str) -> Mapping[str, str]:
        """Every output is FP32, except for one called OTEXT."""
        return {"OX": "FP32", "OTEXT": "BYTES"}

    async def call(self, method: str, message: Message, timeout_seconds: float) -> Message:
        """The prepared answer to a method."""
        self.calls.append((method, message))
        if self.error is not None:
            raise self.error
        return self.answers[method]
