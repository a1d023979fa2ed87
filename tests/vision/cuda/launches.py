"""One launch of the letterbox kernel, from host arrays to a host array."""

import numpy as np
from numba import cuda
from numpy.typing import NDArray

from vision.cuda.frame_plan import (
    IDENTITY,
    InputLayout,
    Normalisation,
    SourceFrame,
    normalisation_table,
    plan_frame,
    plan_table,
)
from vision.cuda.letterbox import place_frames
from vision.letterbox import Placement

Pixels = NDArray[np.uint8]
Tensor = NDArray[np.uint8 | np.float32]


def place(
    frames: list[tuple[Pixels, int]],
    layouts: list[InputLayout],
    normalisation: Normalisation = IDENTITY,
    dtype: type[np.uint8 | np.float32] = np.uint8,
) -> list[tuple[Tensor, Placement]]:
    """Frames as stored with their orientation, each into its own input, all in one launch."""
    source = np.concatenate([pixels.ravel() for pixels, _ in frames])
    sizes = [layout.wh[0] * layout.wh[1] * 3 for layout in layouts]
    plans, placements, source_offset, target_offset = [], [], 0, 0
    for (pixels, orientation), layout, size in zip(frames, layouts, sizes, strict=True):
        stored_wh = (pixels.shape[1], pixels.shape[0])
        frame = SourceFrame(source_offset, stored_wh, orientation, stored_wh[::-1] if orientation >= 5 else stored_wh)
        plan, placement = plan_frame(frame, layout, target_offset)
        plans.append(plan)
        placements.append(placement)
        source_offset, target_offset = source_offset + pixels.size, target_offset + size
    target = cuda.to_device(np.full(sum(sizes) + 1, 77, dtype))
    largest_wh = (max(layout.wh[0] for layout in layouts), max(layout.wh[1] for layout in layouts))
    table, factors = plan_table(plans), normalisation_table([normalisation] * len(plans))
    place_frames(cuda.to_device(source), cuda.to_device(table), cuda.to_device(factors), target, input_wh=largest_wh)
    values = target.copy_to_host()
    assert values[-1] == 77, "the kernel wrote behind its last frame"
    parts = np.split(values[:-1], np.cumsum(sizes)[:-1])
    return list(zip([as_rows(part, each) for part, each in zip(parts, layouts, strict=True)], placements, strict=True))


def as_rows(values: Tensor, layout: InputLayout) -> Tensor:
    """(height, width, 3), whatever the layout."""
    width, height = layout.wh
    return values.reshape(3, height, width).transpose(1, 2, 0) if layout.planar else values.reshape(height, width, 3)
