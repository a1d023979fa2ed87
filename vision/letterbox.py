"""A frame into a model's input rectangle, and boxes back again."""

from dataclasses import dataclass
from typing import Any, Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from vision.decode import ColorOrder, Pixels

FitMode = Literal["letterbox", "stretch", "crop"]


@dataclass(frozen=True, slots=True)
class Placement:
    """Where a frame lies in the model's input: ``input = frame * scale + offset``, in pixels, for edges of boxes.

    Attributes:
        scale_x: input pixels per frame pixel.
        scale_y: the same, downwards; differs from ``scale_x`` by rounding, or by as much as ``stretch`` needs.
        offset_x: input pixels left of the frame; negative where its left was cut off.
        offset_y: input pixels above the frame; negative where its top was cut off.
        frame_width: width of the frame as displayed, in pixels.
        frame_height: height of the frame as displayed, in pixels.
    """

    scale_x: float
    scale_y: float
    offset_x: int
    offset_y: int
    frame_width: int
    frame_height: int


def content_wh_for(frame_wh: tuple[int, int], input_wh: tuple[int, int], mode: FitMode) -> tuple[int, int]:
    """Size of the frame inside the input; with ``crop``, before what lies outside is cut off.

    ``stretch`` fills the input. ``letterbox`` scales by ``min(input_w / frame_w, input_h / frame_h)`` and rounds each
    side to the nearest pixel (half up), with at least 1. ``crop`` scales by the maximum instead, and covers the input.
    """
    if mode == "stretch":
        return input_wh
    if mode == "crop":
        scale = max(input_wh[0] / frame_wh[0], input_wh[1] / frame_wh[1])
        width, height = (max(limit, int(size * scale + 0.5)) for size, limit in zip(frame_wh, input_wh, strict=True))
        return width, height
    scale = min(input_wh[0] / frame_wh[0], input_wh[1] / frame_wh[1])
    width, height = (
        min(limit, max(1, int(size * scale + 0.5))) for size, limit in zip(frame_wh, input_wh, strict=True)
    )
    return width, height


def letterbox(
    rgb: Pixels,
    *,
    input_wh: tuple[int, int],
    mode: FitMode,
    pad_value: int,
    color: ColorOrder,
    frame_wh: tuple[int, int],
    out: Pixels,
) -> Placement:
    """Resize a decoded frame into ``out`` (bilinear) and fill what is left with ``pad_value``.

    The frame is centred: ``offset = (input - content) // 2``, so an odd pixel of padding goes right or below.

    Args:
        rgb: (height, width, 3), possibly reduced.
        input_wh: width and height of the model's input.
        mode: keep the aspect ratio and pad (``letterbox``) or cut (``crop``), or do not keep it (``stretch``).
        pad_value: 0 to 255, for all three channels.
        color: channel order in ``out``.
        frame_wh: width and height of the frame before it was reduced; boxes go back to these pixels.
        out: (input height, input width, 3), written in place; pixels of a row must be contiguous.

    Raises:
        ValueError: ``out`` has another shape, or rows that are not contiguous.
    """
    content_wh = content_wh_for(frame_wh, input_wh, mode)
    content = content_view(out, input_wh=input_wh, content_wh=content_wh, pad_value=pad_value)
    resize_into(centred_cut(rgb, input_wh) if mode == "crop" else rgb, content)
    if color == "bgr":
        cv2.cvtColor(content, cv2.COLOR_RGB2BGR, dst=content)
    return placement_for(frame_wh, input_wh, content_wh)


def placement_for(frame_wh: tuple[int, int], input_wh: tuple[int, int], content_wh: tuple[int, int]) -> Placement:
    """The placement of a frame whose content is centred in the input."""
    return Placement(
        scale_x=content_wh[0] / frame_wh[0],
        scale_y=content_wh[1] / frame_wh[1],
        offset_x=(input_wh[0] - content_wh[0]) // 2,
        offset_y=(input_wh[1] - content_wh[1]) // 2,
        frame_width=frame_wh[0],
        frame_height=frame_wh[1],
    )


def content_view(out: Pixels, *, input_wh: tuple[int, int], content_wh: tuple[int, int], pad_value: int) -> Pixels:
    """Fill the padding of ``out``; returns the view in which the frame belongs."""
    if out.shape != (input_wh[1], input_wh[0], 3) or out.dtype != np.uint8 or out.strides[1:] != (3, 1):
        raise ValueError(
            f"out must be uint8 ({input_wh[1]}, {input_wh[0]}, 3) with contiguous rows, "
            f"got {out.dtype} {out.shape} with strides {out.strides}"
        )
    width, height = (min(limit, size) for limit, size in zip(input_wh, content_wh, strict=True))
    left, top = (input_wh[0] - width) // 2, (input_wh[1] - height) // 2
    right, bottom = left + width, top + height
    for padding in (out[:top], out[bottom:], out[top:bottom, :left], out[top:bottom, right:]):
        if padding.size:
            padding.fill(pad_value)
    return out[top:bottom, left:right]


def centred_cut(pixels: Pixels, input_wh: tuple[int, int]) -> Pixels:
    """The largest part in the middle of a picture that has the shape of the input, to the nearest whole pixel.

    Args:
        pixels: (height, width, 3).
        input_wh: width and height of the model's input.

    Returns:
        A view.
    """
    height, width = pixels.shape[:2]
    scale = min(width / input_wh[0], height / input_wh[1])
    part_width, part_height = (
        min(side, max(1, int(size * scale + 0.5))) for side, size in zip((width, height), input_wh, strict=True)
    )
    left, top = (width - part_width) // 2, (height - part_height) // 2
    return pixels[top : top + part_height, left : left + part_width]


def resize_into(pixels: Pixels, content: Pixels) -> None:
    """Bilinear resize in place; a plain copy when the sizes are equal, nothing when the pixels are there already."""
    if pixels is content:
        return
    if pixels.shape == content.shape:
        np.copyto(content, pixels)
        return
    size = (content.shape[1], content.shape[0])
    written: Any = cv2.resize(pixels, size, dst=content, interpolation=cv2.INTER_LINEAR)
    if written is not content:
        np.copyto(content, written)


def to_frame(boxes_xyxy: NDArray[np.float32], placement: Placement) -> NDArray[np.float32]:
    """Boxes in input pixels to boxes in frame pixels, clipped to the frame.

    Args:
        boxes_xyxy: (N, 4).
        placement: where the frame lies in the input.

    Returns:
        (N, 4), a new array.
    """
    at = placement
    offset = np.array((at.offset_x, at.offset_y, at.offset_x, at.offset_y), np.float32)
    scale = np.array((at.scale_x, at.scale_y, at.scale_x, at.scale_y), np.float32)
    limit = np.array((at.frame_width, at.frame_height, at.frame_width, at.frame_height), np.float32)
    boxes: NDArray[np.float32] = (boxes_xyxy - offset) / scale
    np.maximum(boxes, np.float32(0), out=boxes)
    np.minimum(boxes, limit, out=boxes)
    return boxes
