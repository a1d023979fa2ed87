"""A frame with its detections drawn on it, as JPEG. Pure; slow enough for a thread of its own."""

import numpy as np
import simplejpeg

from gateway.messages import FrameDetections
from vision.decode import decode_frame
from vision.drawing import draw_detections

_QUALITY = 90


def render_jpeg(frame: bytes, found: FrameDetections, labels: tuple[str, ...], max_pixels: int) -> bytes:
    """Draw what was found.

    Args:
        frame: The picture as it was sent.
        found: Its detections.
        labels: Names of the classes.
        max_pixels: Larger frames are refused.

    Returns:
        A JPEG of the frame's own size, turned as displayed.

    Raises:
        vision.errors.ImageError: The bytes are not a usable picture.
    """
    decoded = decode_frame(frame, target_wh=None, max_pixels=max_pixels)
    drawn = draw_detections(decoded.rgb, found.boxes_xyxy, found.scores, found.classes, labels)
    picture: bytes = simplejpeg.encode_jpeg(np.ascontiguousarray(drawn), quality=_QUALITY, colorspace="RGB")
    return picture
