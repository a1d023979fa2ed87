"""The kernel of `vision.cuda.letterbox`: one thread for each pixel of a model's input.

Sums and weights are whole numbers wherever OpenCV's are, so that the results are its results. No number has 64 bits of
floating point, which most GPUs compute slowly.
"""

# ruff: noqa: RUF046 - on a GPU floor and ceil are floating point

from math import ceil, floor

import numpy as np
from numba import cuda

# columns of `vision.cuda.frame_plan.FramePlan`
_SOURCE, _WIDTH, _HEIGHT, _ORIENTATION, _REDUCTION = 0, 1, 2, 3, 4
_CUT_LEFT, _CUT_TOP, _CUT_WIDTH, _CUT_HEIGHT = 5, 6, 7, 8
_LEFT, _TOP, _CONTENT_WIDTH, _CONTENT_HEIGHT = 9, 10, 11, 12
_INPUT_WIDTH, _INPUT_HEIGHT, _TARGET, _PAD, _SWAPS, _PLANAR = 13, 14, 15, 16, 17, 18

_ONE_BITS = 11
_ONE = 1 << _ONE_BITS


@cuda.jit(device=True)
def _whole_block(source, at, row_values, reduction):
    """Mean of ``reduction`` x ``reduction`` pixels; of two, halves go up, of more, to the even number, as in OpenCV."""
    red, green, blue = 0, 0, 0
    for row in range(reduction):
        first = at + row * row_values
        for value in range(first, first + 3 * reduction, 3):
            red += source[value]
            green += source[value + 1]
            blue += source[value + 2]
    count = reduction * reduction
    return _mean(red, count), _mean(green, count), _mean(blue, count)


@cuda.jit(device=True)
def _mean(total, count):
    mean = (total + count // 2) // count
    if count > 4 and 2 * total == count * (2 * mean - 1) and mean % 2 == 1:
        mean -= 1
    return mean


@cuda.jit(device=True)
def _partial_block(source, plan, x, y, scale_x, scale_y):
    """Mean over a rectangle that does not lie on pixel edges: each pixel counts by the share of it that is inside."""
    left, top = np.float32(x) * scale_x, np.float32(y) * scale_y
    right, bottom = min(left + scale_x, np.float32(plan[_WIDTH])), min(top + scale_y, np.float32(plan[_HEIGHT]))
    red, green, blue = np.float32(0), np.float32(0), np.float32(0)
    for row in range(int(floor(top)), int(ceil(bottom))):
        high = min(bottom, np.float32(row + 1)) - max(top, np.float32(row))
        for column in range(int(floor(left)), int(ceil(right))):
            weight = high * (min(right, np.float32(column + 1)) - max(left, np.float32(column)))
            at = plan[_SOURCE] + (row * plan[_WIDTH] + column) * 3
            red += weight * np.float32(source[at])
            green += weight * np.float32(source[at + 1])
            blue += weight * np.float32(source[at + 2])
    area = (right - left) * (bottom - top)
    return _nearest(red / area), _nearest(green / area), _nearest(blue / area)


@cuda.jit(device=True)
def _nearest(value):
    return int(floor(value + np.float32(0.5)))


@cuda.jit(device=True)
def _reduced_pixel(source, plan, x, y):
    """Red, green and blue of a pixel of the reduced picture as displayed (EXIF 2.32 section 4.6.4, tag 274)."""
    reduction, orientation = plan[_REDUCTION], plan[_ORIENTATION]
    width = (plan[_WIDTH] + reduction - 1) // reduction
    height = (plan[_HEIGHT] + reduction - 1) // reduction
    column, row = (x, y) if orientation < 5 else (y, x)
    if orientation in (2, 3, 7, 8):
        column = width - 1 - column
    if orientation in (3, 4, 6, 7):
        row = height - 1 - row
    if width * reduction == plan[_WIDTH] and height * reduction == plan[_HEIGHT]:
        at = plan[_SOURCE] + (row * plan[_WIDTH] + column) * reduction * 3
        return _whole_block(source, at, plan[_WIDTH] * 3, reduction)
    scale_x, scale_y = np.float32(plan[_WIDTH]) / np.float32(width), np.float32(plan[_HEIGHT]) / np.float32(height)
    return _partial_block(source, plan, column, row, scale_x, scale_y)


@cuda.jit(device=True)
def _neighbours(position, size, whole):
    """The two pixels around a position of the resized picture, and the weight of the second, of ``_ONE``."""
    centre = (np.float32(position) + np.float32(0.5)) * (np.float32(whole) / np.float32(size)) - np.float32(0.5)
    first = int(floor(centre))
    weight = _nearest((centre - np.float32(first)) * np.float32(_ONE))
    return max(first, 0), min(first + 1, whole - 1), weight


@cuda.jit(device=True)
def _between(corners, channel, weight_x, weight_y):
    """Bilinear in whole numbers, shifted and cut off as OpenCV does it for 8 bits."""
    above = corners[0][channel] * (_ONE - weight_x) + corners[1][channel] * weight_x
    below = corners[2][channel] * (_ONE - weight_x) + corners[3][channel] * weight_x
    return ((((_ONE - weight_y) * (above >> 4)) >> 16) + ((weight_y * (below >> 4)) >> 16) + 2) >> 2


@cuda.jit(device=True)
def _resized(source, plan, x, y):
    left, right, weight_x = _neighbours(x, plan[_CONTENT_WIDTH], plan[_CUT_WIDTH])
    above, below, weight_y = _neighbours(y, plan[_CONTENT_HEIGHT], plan[_CUT_HEIGHT])
    corners = (
        _reduced_pixel(source, plan, plan[_CUT_LEFT] + left, plan[_CUT_TOP] + above),
        _reduced_pixel(source, plan, plan[_CUT_LEFT] + right, plan[_CUT_TOP] + above),
        _reduced_pixel(source, plan, plan[_CUT_LEFT] + left, plan[_CUT_TOP] + below),
        _reduced_pixel(source, plan, plan[_CUT_LEFT] + right, plan[_CUT_TOP] + below),
    )
    return (
        _between(corners, 0, weight_x, weight_y),
        _between(corners, 1, weight_x, weight_y),
        _between(corners, 2, weight_x, weight_y),
    )


@cuda.jit
def place(source, plans, normalisations, target):
    x, y, frame = cuda.grid(3)
    plan, normalisation = plans[frame], normalisations[frame]
    width, height = plan[_INPUT_WIDTH], plan[_INPUT_HEIGHT]
    if x >= width or y >= height:
        return
    inner_x, inner_y = x - plan[_LEFT], y - plan[_TOP]
    if 0 <= inner_x < plan[_CONTENT_WIDTH] and 0 <= inner_y < plan[_CONTENT_HEIGHT]:
        red, green, blue = _resized(source, plan, inner_x, inner_y)
    else:
        red = green = blue = plan[_PAD]
    if plan[_SWAPS]:
        red, blue = blue, red
    if plan[_PLANAR]:
        at, step = plan[_TARGET] + y * width + x, width * height
    else:
        at, step = plan[_TARGET] + (y * width + x) * 3, 1
    target[at] = np.float32(red) * normalisation[0] - normalisation[3]
    target[at + step] = np.float32(green) * normalisation[1] - normalisation[4]
    target[at + 2 * step] = np.float32(blue) * normalisation[2] - normalisation[5]
