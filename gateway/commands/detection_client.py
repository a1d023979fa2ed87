"""The port between the commands and a protocol."""

from typing import Protocol

from gateway.commands.frame_answer import FrameAnswer


class DetectionClient(Protocol):
    """Asks one running gateway about one model, one frame at a time."""

    def labels(self) -> tuple[str, ...]:
        """Names of the model's classes; also the check that the gateway is there and has the model.

        Raises:
            GatewayNotThere: Nobody answers.
            ModelNotThere: The gateway does not serve the model.
        """
        ...

    def detect(self, frame: bytes, threshold: float | None) -> FrameAnswer:
        """Find what is in a picture.

        Raises:
            FrameRefused: The gateway answered with an error.
            GatewayNotThere: Nobody answers.
        """
        ...

    def close(self) -> None:
        """Close the connection."""
        ...
