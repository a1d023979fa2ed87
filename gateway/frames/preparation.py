"""From a compressed frame to the model's input tensor, written in place. Pure apart from the clock it is timed by."""

from functools import lru_cache
from typing import cast

import numpy as np
from numpy.typing import NDArray

from contracts.model_card import InputSpec
from gateway.pixel_normalisation import factor_and_shift
from vision.prepare import PreparedFrame, prepare_frame


def prepare_input(
    frame: bytes | memoryview, spec: InputSpec, out: NDArray[np.generic], max_pixels: int
) -> PreparedFrame:
    """Decode a frame and write it as the card's input asks.

    Args:
        frame: JPEG, PNG, WebP or BMP bytes.
        spec: The card's input.
        out: The tensor of one frame, of the spec's shape and type; overwritten.
        max_pixels: Larger frames are refused before they are decoded.

    Raises:
        vision.errors.ImageError: The bytes are not a usable picture.
    """
    if spec.datatype == "UINT8" and spec.layout == "NHWC":
        return _prepare_pixels(frame, spec, cast("NDArray[np.uint8]", out[0]), max_pixels)
    pixels = np.empty((spec.height, spec.width, 3), dtype=np.uint8)
    prepared = _prepare_pixels(frame, spec, pixels, max_pixels)
    values = pixels if spec.datatype == "UINT8" else normalise(pixels, spec)
    out[0] = values if spec.layout == "NHWC" else values.transpose(2, 0, 1)
    return prepared


@lru_cache(maxsize=64)
def prepared_alike(first: InputSpec, second: InputSpec) -> bool:
    """Whether a tensor that was prepared for one build can be given to the other."""
    unimportant = {"name"}
    if first.datatype == "UINT8":
        unimportant |= {"scale", "mean", "std"}  # such builds normalise inside the graph
    return first.model_dump(exclude=unimportant) == second.model_dump(exclude=unimportant)


def normalise(pixels: NDArray[np.uint8], spec: InputSpec) -> NDArray[np.float32]:
    """``(pixel * scale - mean) / std`` by channel, FP32 (H, W, 3)."""
    factor, shift = factor_and_shift(spec)
    normalised: NDArray[np.float32] = pixels * factor - shift
    return normalised


def _prepare_pixels(
    frame: bytes | memoryview, spec: InputSpec, out: NDArray[np.uint8], max_pixels: int
) -> PreparedFrame:
    return prepare_frame(
        bytes(frame),
        input_wh=(spec.width, spec.height),
        mode=spec.mode,
        pad_value=spec.pad_value,
        color=spec.color,
        max_pixels=max_pixels,
        out=out,
    )
