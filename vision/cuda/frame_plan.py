"""What the letterbox kernel has to know of one frame, worked out on the host."""

from dataclasses import astuple, dataclass, fields

import numpy as np
from numpy.typing import NDArray

from vision.decode import ColorOrder, reduction_for
from vision.letterbox import FitMode, Placement, content_wh_for, placement_for

Normalisation = tuple[tuple[float, float, float], tuple[float, float, float]]

IDENTITY: Normalisation = ((1.0, 1.0, 1.0), (0.0, 0.0, 0.0))


@dataclass(frozen=True, slots=True)
class FramePlan:
    """One frame's row in the kernel's table; the order of the fields is that of the columns.

    Pixels are reduced as they are stored, turned as displayed, cut, and resized into the content. All
    sizes are in pixels; offsets in elements.

    Attributes:
        source_offset: Where the stored RGB pixels begin in the source.
        source_width: Stored width.
        source_height: Stored height.
        orientation: EXIF orientation, 1 to 8.
        reduction_shift: Pixels are reduced by 2 to the power of it.
        cut_left: Of the part that is used, in reduced pixels as displayed.
        cut_top: The same, downwards.
        cut_width: Width of that part.
        cut_height: Height of that part.
        content_left: Where it goes in the input.
        content_top: The same, downwards.
        content_width: Width that it gets there.
        content_height: Height that it gets there.
        input_width: Width of the model's input.
        input_height: Height of the model's input.
        target_offset: Where the frame's tensor begins in the target.
        pad_value: 0 to 255, around the content.
        swaps_channels: 1 for BGR.
        planar: 1 for NCHW, 0 for NHWC.
    """

    source_offset: int
    source_width: int
    source_height: int
    orientation: int
    reduction_shift: int
    cut_left: int
    cut_top: int
    cut_width: int
    cut_height: int
    content_left: int
    content_top: int
    content_width: int
    content_height: int
    input_width: int
    input_height: int
    target_offset: int
    pad_value: int
    swaps_channels: int
    planar: int


COLUMNS = len(fields(FramePlan))


@dataclass(frozen=True, slots=True)
class SourceFrame:
    """Decoded pixels that wait in the source.

    Attributes:
        offset: Where they begin, in bytes.
        stored_wh: Their width and height as stored; the decoder may have reduced them.
        orientation: EXIF orientation that has not been applied to them, 1 to 8.
        frame_wh: Width and height of the whole frame as displayed; boxes go back to these pixels.
    """

    offset: int
    stored_wh: tuple[int, int]
    orientation: int
    frame_wh: tuple[int, int]


@dataclass(frozen=True, slots=True)
class InputLayout:
    """What a model's input asks for.

    Attributes:
        wh: Width and height.
        mode: As in `vision.letterbox.letterbox`.
        pad_value: 0 to 255, for all three channels.
        color: Channel order.
        planar: NCHW, else NHWC.
    """

    wh: tuple[int, int]
    mode: FitMode
    pad_value: int
    color: ColorOrder
    planar: bool


def plan_frame(source: SourceFrame, layout: InputLayout, target_offset: int) -> tuple[FramePlan, Placement]:
    """Plan the way of one frame into the input, equal to `vision.prepare.prepare_frame`'s.

    Args:
        source: the decoded frame.
        layout: the model's input.
        target_offset: where the frame's tensor begins in the target, in elements.
    """
    content_wh = content_wh_for(source.frame_wh, layout.wh, layout.mode)
    displayed_wh = source.stored_wh[::-1] if source.orientation >= 5 else source.stored_wh
    reduction = _reduction_left(source.frame_wh, displayed_wh, content_wh)
    reduced_wh = _reduced(displayed_wh, reduction)
    cut = _centred_cut(reduced_wh, layout.wh) if layout.mode == "crop" else (0, 0, *reduced_wh)
    width, height = (min(limit, size) for limit, size in zip(layout.wh, content_wh, strict=True))
    plan = FramePlan(
        source.offset,
        *source.stored_wh,
        source.orientation,
        reduction.bit_length() - 1,
        *cut,
        (layout.wh[0] - width) // 2,
        (layout.wh[1] - height) // 2,
        width,
        height,
        *layout.wh,
        target_offset,
        layout.pad_value,
        int(layout.color == "bgr"),
        int(layout.planar),
    )
    return plan, placement_for(source.frame_wh, layout.wh, content_wh)


def _reduction_left(frame_wh: tuple[int, int], displayed_wh: tuple[int, int], content_wh: tuple[int, int]) -> int:
    """Of the frame's whole reduction what the decoder has not done; judged by the frame, as in `vision.decode`."""
    whole, done = reduction_for(frame_wh, content_wh), 1
    while done < whole and _reduced(frame_wh, done) != displayed_wh:
        done *= 2
    return whole // done


def _reduced(wh: tuple[int, int], reduction: int) -> tuple[int, int]:
    return -(-wh[0] // reduction), -(-wh[1] // reduction)


def plan_table(plans: list[FramePlan]) -> NDArray[np.int64]:
    """The kernel's table.

    Returns:
        (frames, fields of `FramePlan`).
    """
    return np.array([astuple(plan) for plan in plans], dtype=np.int64)


def normalisation_table(normalisations: list[Normalisation]) -> NDArray[np.float32]:
    """Factor and shift of each channel: ``value * factor - shift``, in the channel order of the input.

    Returns:
        (frames, 6).
    """
    return np.array([(*factor, *shift) for factor, shift in normalisations], dtype=np.float32)


def _centred_cut(reduced_wh: tuple[int, int], input_wh: tuple[int, int]) -> tuple[int, int, int, int]:
    """Left, top, width and height of what `vision.letterbox.centred_cut` leaves."""
    scale = min(side / limit for side, limit in zip(reduced_wh, input_wh, strict=True))
    width, height = (
        min(side, max(1, int(size * scale + 0.5))) for side, size in zip(reduced_wh, input_wh, strict=True)
    )
    return (reduced_wh[0] - width) // 2, (reduced_wh[1] - height) // 2, width, height
