"""A frame with what was found drawn on it, as JPEG. Pure; slow enough for a thread of its own."""

import numpy as np
import simplejpeg

from gateway.messages import ClassificationResult, DetectionResult
from vision.decode import Pixels, decode_frame
from vision.drawing import draw_detections, draw_label

_QUALITY = 90


def render_jpeg(frame: bytes, result: DetectionResult | ClassificationResult, max_pixels: int) -> bytes:
    """Draw the boxes of the first frame of a result, or its best class; of a cascade the boxes and the verdict.

    Args:
        frame: The picture as it was sent.
        result: Of this frame alone.
        max_pixels: Larger frames are refused.

    Returns:
        A JPEG of the frame's own size, turned as displayed.

    Raises:
        vision.errors.ImageError: The bytes are not a usable picture.
    """
    rgb = decode_frame(frame, target_wh=None, max_pixels=max_pixels).rgb
    drawn = _draw_classes(rgb, result) if isinstance(result, ClassificationResult) else _draw_boxes(rgb, result)
    picture: bytes = simplejpeg.encode_jpeg(np.ascontiguousarray(drawn), quality=_QUALITY, colorspace="RGB")
    return picture


def _draw_classes(rgb: Pixels, result: ClassificationResult) -> Pixels:
    found = result.frames[0]
    return draw_label(rgb, f"{result.labels[found.best]} {found.score:.2f}", found.best)


def _draw_boxes(rgb: Pixels, result: DetectionResult) -> Pixels:
    found = result.frames[0]
    drawn = draw_detections(rgb, found.boxes_xyxy, found.scores, found.classes, result.labels)
    if result.cascade is None:
        return drawn
    verdict = result.cascade.verdicts[0]
    return draw_label(drawn, f"{result.cascade.labels[verdict.best]} {verdict.score:.2f}", verdict.best)
