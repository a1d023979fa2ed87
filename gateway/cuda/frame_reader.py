"""What the CPU does with a frame before it goes to the GPU."""

import time
from collections.abc import Callable

from gateway.cuda.device_decoding import decodes_on_device
from gateway.cuda.staging_memory import StagingMemory
from gateway.cuda.waiting_frame import WaitingFrame
from vision.decode import check_decodable, decode_pixels, reduction_for
from vision.image_header import ImageHeader, read_image_header
from vision.letterbox import content_wh_for


class FrameReader:
    """Reads headers, and decodes what the GPU does not. Threads may share it.

    Args:
        staging: Where decoded pixels wait.
        device_decodes: Whether the GPU decodes the frames that it can.
        max_pixels: Largest frame.
        clock: Monotonic seconds.
    """

    def __init__(
        self,
        staging: StagingMemory,
        *,
        device_decodes: bool,
        max_pixels: int,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._staging = staging
        self._device_decodes = device_decodes
        self._max_pixels = max_pixels
        self._clock = clock

    def read(self, frame: WaitingFrame) -> None:
        """Make a frame ready for its launch.

        Raises:
            vision.errors.ImageError: The bytes are not a usable picture.
            DeviceLost, DeviceRefused: The GPU does not pin memory any more.
        """
        frame.began_at = self._clock()
        frame.data = bytes(frame.data)
        header = read_image_header(frame.data)
        frame.frame_wh = header.displayed_wh
        if self._device_decodes and decodes_on_device(header, frame.data):
            check_decodable(header, self._max_pixels)
            frame.stored_wh, frame.orientation = (header.width, header.height), header.orientation
        else:
            self._decode(frame, frame.data, header, frame.began_at)

    def decode(self, frame: WaitingFrame) -> None:
        """Decode a frame that the GPU could not; raises as ``read``."""
        began_at, data = self._clock(), bytes(frame.data)
        self._decode(frame, data, read_image_header(data), began_at)

    def _decode(self, frame: WaitingFrame, data: bytes, header: ImageHeader, began_at: float) -> None:
        """Decoded, reduced as far as the input allows, and turned as displayed."""
        check_decodable(header, self._max_pixels)
        content_wh = content_wh_for(header.displayed_wh, (frame.spec.width, frame.spec.height), frame.spec.mode)
        reduction = reduction_for(header.displayed_wh, content_wh)
        width, height = (-(-side // reduction) for side in header.displayed_wh)
        frame.stored_wh, frame.orientation = (width, height), 1
        frame.block = self._staging.take(frame.pixel_bytes)
        staged = frame.block[: frame.pixel_bytes].reshape(height, width, 3)
        pixels = decode_pixels(
            data, header, target_wh=content_wh, max_pixels=self._max_pixels, color="rgb", buffer=staged
        )
        if pixels is not staged:
            staged[:] = pixels
        frame.decode_seconds = self._clock() - began_at

    def forget(self, frame: WaitingFrame) -> None:
        """Nobody reads the frame's pixels any more."""
        if frame.block is not None:
            self._staging.give_back(frame.block)
            frame.block = None
