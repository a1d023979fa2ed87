"""What a load loop needs of a protocol: send one frame, hear how it went."""

from dataclasses import dataclass
from typing import Protocol

OK = "OK"


@dataclass(frozen=True, slots=True)
class SendOutcome:
    """How one request ended.

    Attributes:
        code: ``OK``, the name of a gRPC status, ``HTTP <status>``, or ``DISCONNECTED``.
        stages: The response parameter ``outpost_stage_us``; empty where there is none.
    """

    code: str
    stages: str = ""


class FrameSender(Protocol):
    """Sends prepared requests."""

    async def send(self, client: int, frame: int) -> SendOutcome:
        """Send a frame and wait for the answer; a failure is an outcome, not an exception.

        Args:
            client: Which simulated client sends: chooses the connection.
            frame: Index into the frames that the sender was made with, wrapped around.
        """
        ...

    async def close(self) -> None:
        """Close every connection."""
        ...
