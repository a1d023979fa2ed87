"""Whom the path of a frame tells about what happens on it."""

from collections.abc import Callable
from dataclasses import dataclass

from gateway.errors import DeviceLost, InstanceLost


@dataclass(frozen=True, slots=True)
class FrameEvents:
    """Called in the event loop; each must be quick.

    Attributes:
        instance_lost: Each instance that died under a frame.
        retried: The build, each time a frame is sent to it again.
        executed: The name that the caller used and the build, each time the build has run on a frame.
        device_lost: A GPU on which an output could not be read.
    """

    instance_lost: Callable[[InstanceLost], None]
    retried: Callable[[str], None]
    executed: Callable[[str, str], None]
    device_lost: Callable[[DeviceLost], None]
