"""Image bytes to a model's input, the one way of training, evaluation and serving.

The plain reference of this module is: decode in full, average blocks of 2, 4, 8, ... pixels as far as the result still
covers the content, resize bilinearly, all in float32. Against it, in grey levels per value (mean, 99th percentile):

- at most 0.5 and 1 (largest difference 1) without reduction, for PNG, WebP and BMP, and where a side is not divisible;
- at most 0.6 and 3 for a reduced JPEG without chroma subsampling;
- at most 1.5 and 15 for a reduced JPEG with 4:2:0 chroma, where saturated edges lie close together: the scaled DCT
  keeps chroma as it was stored, the reference interpolates and averages it.
"""

import time
from dataclasses import dataclass

from vision.decode import ColorOrder, Pixels, decode_pixels
from vision.image_header import read_image_header
from vision.letterbox import (
    FitMode,
    Placement,
    centred_cut,
    content_view,
    content_wh_for,
    placement_for,
    resize_into,
)

DEFAULT_MAX_PIXELS = 50_000_000


@dataclass(frozen=True, slots=True)
class PreparedFrame:
    """A frame that lies in the model's input.

    Attributes:
        placement: how boxes get back to the frame.
        decode_seconds: from bytes to reduced pixels.
        letterbox_seconds: from reduced pixels to the input.
    """

    placement: Placement
    decode_seconds: float
    letterbox_seconds: float


def prepare_frame(
    data: bytes,
    *,
    input_wh: tuple[int, int],
    mode: FitMode = "letterbox",
    pad_value: int = 114,
    color: ColorOrder = "rgb",
    max_pixels: int = DEFAULT_MAX_PIXELS,
    out: Pixels,
) -> PreparedFrame:
    """Decode a picture, reduced as far as the input allows, and letterbox it into ``out``.

    Args:
        data: a JPEG, PNG, WebP or BMP.
        input_wh: width and height of the model's input.
        mode: keep the aspect ratio and pad (``letterbox``) or cut (``crop``), or do not keep it (``stretch``).
        pad_value: 0 to 255, for all three channels.
        color: channel order in ``out``.
        max_pixels: pictures with more pixels are refused before decoding.
        out: uint8 (input height, input width, 3) with contiguous rows, written in place; partly written after an error.

    Raises:
        ImageError: one of its kinds; see `vision.decode.decode_frame`.
        ValueError: ``out`` has another shape.
    """
    started = time.perf_counter()
    header = read_image_header(data)
    frame_wh = header.displayed_wh
    content_wh = content_wh_for(frame_wh, input_wh, mode)
    content = content_view(out, input_wh=input_wh, content_wh=content_wh, pad_value=pad_value)
    pixels = decode_pixels(data, header, target_wh=content_wh, max_pixels=max_pixels, color=color, buffer=content)
    decoded = time.perf_counter()
    if mode == "crop" and pixels is not content:
        pixels = centred_cut(pixels, input_wh)
    resize_into(pixels, content)
    return PreparedFrame(
        placement=placement_for(frame_wh, input_wh, content_wh),
        decode_seconds=decoded - started,
        letterbox_seconds=time.perf_counter() - decoded,
    )
