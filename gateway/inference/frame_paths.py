"""The port to the path of one frame."""

from typing import Protocol

from gateway.messages import CascadeFrame, CascadeTask, FrameClasses, FrameDetections, FrameTask


class FramePaths(Protocol):
    """Looks into one frame at a time."""

    async def detect(self, frame: bytes | memoryview, task: FrameTask) -> FrameDetections:
        """See ``FramePipeline.detect``."""
        ...

    async def classify(self, frame: bytes | memoryview, task: FrameTask) -> FrameClasses:
        """See ``FramePipeline.classify``."""
        ...

    async def cascade(self, frame: bytes | memoryview, task: CascadeTask) -> CascadeFrame:
        """See ``FramePipeline.cascade``."""
        ...
