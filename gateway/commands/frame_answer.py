"""What a gateway answered for one frame, whatever the protocol."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class FrameAnswer:
    """Detections or classes of one frame, best first.

    Attributes:
        build: The build that answered.
        reason: Why it was this one.
        boxes_xyxy: FP32 (M, 4), pixels of the frame as displayed; None for classes, which are of the whole frame.
        scores: FP32 (M,).
        classes: INT32 (M,).
        executed: Of a cascade: the aliases that ran.
        stage_ms: Milliseconds by stage, as the gateway says.
        total_ms: Milliseconds by the client's clock.
    """

    build: str
    reason: str
    boxes_xyxy: NDArray[np.float32] | None
    scores: NDArray[np.float32]
    classes: NDArray[np.int32]
    stage_ms: Mapping[str, float]
    total_ms: float
    executed: tuple[str, ...] = ()


def parse_executed(text: str) -> tuple[str, ...]:
    """The aliases that ran, from the response parameter ``outpost_executed`` (``parts=1,defects=0``)."""
    counts = (entry.partition("=") for entry in text.split(",") if entry)
    return tuple(alias for alias, _, count in counts if count != "0")


class GatewayNotThere(Exception):
    """Nobody answers where a gateway should be."""

    def __init__(self, address: str, flag: str, reason: str) -> None:
        self.address = address
        super().__init__(
            f"No gateway answers at {address}. Start one with `outpost-gateway serve` (or `make serve`), "
            f"or name another address with {flag} HOST:PORT; one that speaks TLS needs --tls or --tls-authority "
            f"({reason[:200]})"
        )


class ModelNotThere(Exception):
    """The gateway runs, but not this model."""

    def __init__(self, model: str, address: str, reason: str) -> None:
        self.model = model
        super().__init__(f"The gateway at {address} cannot answer for the model '{model}': {reason}.")


class FrameRefused(Exception):
    """The gateway answered one frame with an error."""

    def __init__(self, code: str, message: str) -> None:
        self.code = code
        self.message = message
        super().__init__(f"{message} ({code})")
