"""The kernel of `vision.cuda.letterbox`: one thread for each pixel of a model's input.

Sums and weights are whole numbers wherever OpenCV's are, so that the results are its results. No floating point has 64
bits, and whole numbers have 32 wherever that is enough, since most GPUs compute wider ones slowly: numba widens what it
computes with, and the compiler takes that back where the result is cut to 32 bits. Indices are unsigned, so that numba
does not look for negative ones; they and the offsets have 64 bits, since a source can be larger than 2 GiB.
"""

from math import ceil, floor

import numpy as np
from numba import cuda

# columns of `vision.cuda.frame_plan.FramePlan`
_SOURCE, _WIDTH, _HEIGHT, _ORIENTATION, _SHIFT = 0, 1, 2, 3, 4
_CUT_LEFT, _CUT_TOP, _CUT_WIDTH, _CUT_HEIGHT = 5, 6, 7, 8
_LEFT, _TOP, _CONTENT_WIDTH, _CONTENT_HEIGHT = 9, 10, 11, 12
_INPUT_WIDTH, _INPUT_HEIGHT, _TARGET, _PAD, _SWAPS, _PLANAR = 13, 14, 15, 16, 17, 18

_ONE_BITS = 11
_ONE = 1 << _ONE_BITS


@cuda.jit(device=True)
def _whole_block(source, first, row_values, shift):
    """Mean of 2 ** ``shift`` x 2 ** ``shift`` pixels."""
    red, green, blue = np.int32(0), np.int32(0), np.int32(0)
    side = np.int32(1 << shift)
    for row in range(side):
        at = first + row * row_values
        for _ in range(side):
            red = np.int32(red + source[np.uint64(at)])
            green = np.int32(green + source[np.uint64(at + 1)])
            blue = np.int32(blue + source[np.uint64(at + 2)])
            at += 3
    return _mean(red, shift), _mean(green, shift), _mean(blue, shift)


@cuda.jit(device=True)
def _mean(total, shift):
    """Of 4 ** ``shift`` values; of four, halves go up, of more, to the even number, as in OpenCV."""
    rest = np.int32((1 << 2 * shift) - 1)
    rounded = np.int32(total + ((rest + 1) >> 1))
    mean = np.int32(rounded >> 2 * shift)
    if shift > 1 and (rounded & rest) == 0:
        mean = np.int32(mean & ~1)
    return mean


@cuda.jit(device=True)
def _partial_block(source, plan, x, y, width, height):
    """Mean over a rectangle that does not lie on pixel edges: each pixel counts by the share of it that is inside."""
    whole_width, whole_height = np.float32(np.int32(plan[_WIDTH])), np.float32(np.int32(plan[_HEIGHT]))
    scale_x, scale_y = whole_width / np.float32(width), whole_height / np.float32(height)
    left, top = np.float32(x) * scale_x, np.float32(y) * scale_y
    right, bottom = min(left + scale_x, whole_width), min(top + scale_y, whole_height)
    red, green, blue = np.float32(0), np.float32(0), np.float32(0)
    first = np.int32(floor(left))
    for row in range(np.int32(floor(top)), np.int32(ceil(bottom))):
        high = min(bottom, np.float32(np.int32(row + 1))) - max(top, np.float32(row))
        at = plan[_SOURCE] + (row * plan[_WIDTH] + first) * 3
        for column in range(first, np.int32(ceil(right))):
            weight = high * (min(right, np.float32(np.int32(column + 1))) - max(left, np.float32(column)))
            red += weight * np.float32(source[np.uint64(at)])
            green += weight * np.float32(source[np.uint64(at + 1)])
            blue += weight * np.float32(source[np.uint64(at + 2)])
            at += 3
    area = (right - left) * (bottom - top)
    return _nearest(red / area), _nearest(green / area), _nearest(blue / area)


@cuda.jit(device=True)
def _nearest(value):
    return np.int32(floor(value + np.float32(0.5)))


@cuda.jit(device=True)
def _reduced_pixel(source, plan, x, y):
    """Red, green and blue of a pixel of the reduced picture as displayed (EXIF 2.32 section 4.6.4, tag 274)."""
    shift, orientation = np.int32(plan[_SHIFT]), np.int32(plan[_ORIENTATION])
    rest = np.int32((1 << shift) - 1)
    width = np.int32(np.int32(plan[_WIDTH] + rest) >> shift)
    height = np.int32(np.int32(plan[_HEIGHT] + rest) >> shift)
    column, row = (x, y) if orientation < 5 else (y, x)
    if orientation in (2, 3, 7, 8):
        column = np.int32(width - 1 - column)
    if orientation in (3, 4, 6, 7):
        row = np.int32(height - 1 - row)
    if (np.int32(plan[_WIDTH]) | np.int32(plan[_HEIGHT])) & rest:
        return _partial_block(source, plan, column, row, width, height)
    at = plan[_SOURCE] + ((row * plan[_WIDTH] + column) << shift) * 3
    return _whole_block(source, at, np.int32(plan[_WIDTH] * 3), shift)


@cuda.jit(device=True)
def _neighbours(position, size, whole):
    """The two pixels around a position of the resized picture, and the weight of the second, of ``_ONE``."""
    scale = np.float32(whole) / np.float32(size)
    centre = (np.float32(position) + np.float32(0.5)) * scale - np.float32(0.5)
    first = np.int32(floor(centre))
    weight = _nearest((centre - np.float32(first)) * np.float32(_ONE))
    return max(first, np.int32(0)), min(np.int32(first + 1), np.int32(whole - 1)), weight


@cuda.jit(device=True)
def _resized(source, plan, x, y):
    """Bilinear in whole numbers, shifted and cut off as OpenCV does for 8 bits; loops keep the machine code short."""
    left, right, weight_x = _neighbours(x, np.int32(plan[_CONTENT_WIDTH]), np.int32(plan[_CUT_WIDTH]))
    above, below, weight_y = _neighbours(y, np.int32(plan[_CONTENT_HEIGHT]), np.int32(plan[_CUT_HEIGHT]))
    red, green, blue = np.int32(2), np.int32(2), np.int32(2)
    for lower in range(2):
        row = np.int32(plan[_CUT_TOP] + (below if lower else above))
        weight = np.int32(weight_y if lower else _ONE - weight_y)
        row_red, row_green, row_blue = np.int32(0), np.int32(0), np.int32(0)
        for further in range(2):
            column = np.int32(plan[_CUT_LEFT] + (right if further else left))
            share = np.int32(weight_x if further else _ONE - weight_x)
            pixel = _reduced_pixel(source, plan, column, row)
            row_red = np.int32(row_red + pixel[0] * share)
            row_green = np.int32(row_green + pixel[1] * share)
            row_blue = np.int32(row_blue + pixel[2] * share)
        red = np.int32(red + (np.int32(weight * (row_red >> 4)) >> 16))
        green = np.int32(green + (np.int32(weight * (row_green >> 4)) >> 16))
        blue = np.int32(blue + (np.int32(weight * (row_blue >> 4)) >> 16))
    return np.int32(red >> 2), np.int32(green >> 2), np.int32(blue >> 2)


@cuda.jit
def place(source, plans, normalisations, target):
    x, y, frame = cuda.grid(3)
    plan, normalisation = plans[frame], normalisations[frame]
    width, height = np.int32(plan[_INPUT_WIDTH]), np.int32(plan[_INPUT_HEIGHT])
    if x >= width or y >= height:
        return
    inner_x, inner_y = np.int32(x - plan[_LEFT]), np.int32(y - plan[_TOP])
    if 0 <= inner_x < plan[_CONTENT_WIDTH] and 0 <= inner_y < plan[_CONTENT_HEIGHT]:
        red, green, blue = _resized(source, plan, inner_x, inner_y)
    else:
        red = green = blue = np.int32(plan[_PAD])
    if plan[_SWAPS]:
        red, blue = blue, red
    if plan[_PLANAR]:
        at, step = plan[_TARGET] + y * width + x, width * height
    else:
        at, step = plan[_TARGET] + (y * width + x) * 3, np.int32(1)
    target[np.uint64(at)] = np.float32(red) * normalisation[0] - normalisation[3]
    target[np.uint64(at + step)] = np.float32(green) * normalisation[1] - normalisation[4]
    target[np.uint64(at + 2 * step)] = np.float32(blue) * normalisation[2] - normalisation[5]
