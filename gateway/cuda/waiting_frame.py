"""Frames on their way to a launch."""

from collections import deque
from dataclasses import dataclass
from typing import Any

from contracts.model_card import InputSpec
from gateway.cuda.staging_memory import Block
from gateway.frame_memory import FrameMemory
from vision.letterbox import Placement


@dataclass(frozen=True, slots=True)
class PlacedFrame:
    """What became of a frame in a launch.

    Attributes:
        placement: How boxes get back to the frame.
        decode_seconds: What the GPU's decoder took for the batch; 0 for a frame that came decoded.
        done_at: When its tensor was whole.
    """

    placement: Placement
    decode_seconds: float
    done_at: float


@dataclass(eq=False, slots=True)
class WaitingFrame:
    """A frame between its bytes and its launch; `gateway.cuda.frame_reader` fills in what it finds.

    Attributes:
        data: JPEG, PNG, WebP or BMP.
        spec: The card's input.
        memory: Where its tensor goes.
        slot: Its slot there.
        began_at: When work on it began.
        decode_seconds: What the CPU took to decode it.
        frame_wh: Width and height as displayed, before any reduction.
        stored_wh: Width and height of the pixels, as stored.
        orientation: EXIF orientation that has not been applied to them.
        block: Where the decoded pixels are; None where the GPU decodes.
    """

    data: bytes | memoryview
    spec: InputSpec
    memory: FrameMemory
    slot: int
    began_at: float = 0.0
    decode_seconds: float = 0.0
    frame_wh: tuple[int, int] = (0, 0)
    stored_wh: tuple[int, int] = (0, 0)
    orientation: int = 1
    block: Block | None = None

    @property
    def pixel_bytes(self) -> int:
        """Bytes of its pixels."""
        return self.stored_wh[0] * self.stored_wh[1] * 3

    @property
    def goes_with(self) -> Any:
        """Frames of which this is equal can be placed by one launch: it writes into one array of one type."""
        return id(self.memory), self.spec.datatype


def take_batch(waiting: deque[WaitingFrame], most: int, most_bytes: int) -> list[WaitingFrame]:
    """Take out the frame that waits longest, and those that can go with it, in order.

    Args:
        waiting: At least one; those that are taken are gone from it.
        most: So many frames.
        most_bytes: So many bytes of pixels; one frame may have more.
    """
    batch, left, size_bytes = [waiting.popleft()], deque[WaitingFrame](), 0
    size_bytes = batch[0].pixel_bytes
    while waiting and len(batch) < most:
        frame = waiting.popleft()
        if frame.goes_with == batch[0].goes_with and size_bytes + frame.pixel_bytes <= most_bytes:
            batch.append(frame)
            size_bytes += frame.pixel_bytes
        else:
            left.append(frame)
    waiting.extendleft(reversed(left))
    return batch
