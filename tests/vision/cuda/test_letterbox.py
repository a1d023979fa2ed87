"""The kernel against the CPU path, on the same decoded pixels, within what its docstring states."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.vision.cuda.launches import Tensor, place
from vision.cuda.frame_plan import IDENTITY, InputLayout, SourceFrame, plan_frame
from vision.decode import reduction_for
from vision.letterbox import FitMode, Placement, content_wh_for
from vision.prepare import prepare_frame

Pixels = NDArray[np.uint8]
Draw = Callable[..., Pixels]
Encode = Callable[..., bytes]

MODES: tuple[FitMode, ...] = ("letterbox", "stretch", "crop")
LAYOUT = InputLayout(wh=(24, 18), mode="letterbox", pad_value=114, color="rgb", planar=False)
# exact, reduced by 2 and 4, sides that do not divide, upright, far smaller than the input
FRAMES_WH = ((24, 18), (36, 30), (48, 36), (97, 61), (130, 97), (31, 80), (5, 3), (1, 9))


def on_the_cpu(data: bytes, layout: InputLayout) -> tuple[Pixels, Placement]:
    out = np.empty((layout.wh[1], layout.wh[0], 3), np.uint8)
    prepared = prepare_frame(
        data, input_wh=layout.wh, mode=layout.mode, pad_value=layout.pad_value, color=layout.color, out=out
    )
    return out, prepared.placement


def assert_equal(found: tuple[Tensor, Placement], expected: tuple[Pixels, Placement]) -> None:
    assert found[1] == expected[1]
    difference = np.abs(found[0].astype(np.int64) - expected[0])
    assert difference.max() <= 1
    assert difference.mean() <= 0.01


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("frame_wh", FRAMES_WH)
def test_equals_the_cpu_path(scene: Draw, encode: Encode, frame_wh: tuple[int, int], mode: FitMode) -> None:
    pixels, layout = scene(*frame_wh), replace(LAYOUT, mode=mode)
    (found,) = place([(pixels, 1)], [layout])
    assert_equal(found, on_the_cpu(encode(pixels, "png"), layout))


@pytest.mark.parametrize("reduction", [8, 16, 32])
def test_equals_the_cpu_path_where_a_frame_is_many_times_as_large(scene: Draw, encode: Encode, reduction: int) -> None:
    pixels, layout = scene(4 * reduction, 3 * reduction), replace(LAYOUT, wh=(4, 3))
    frame_wh = (4 * reduction, 3 * reduction)
    assert plan_frame(SourceFrame(0, frame_wh, 1, frame_wh), layout, 0)[0].reduction_shift == reduction.bit_length() - 1
    (found,) = place([(pixels, 1)], [layout])
    np.testing.assert_array_equal(found[0], on_the_cpu(encode(pixels, "png"), layout)[0])


@pytest.mark.parametrize("orientation", range(2, 9))
def test_stored_pixels_are_turned_as_the_cpu_path_turns_them(
    scene: Draw, encode: Encode, oriented: Encode, orientation: int
) -> None:
    pixels = scene(97, 61)
    (found,) = place([(pixels, orientation)], [LAYOUT])
    assert_equal(found, on_the_cpu(oriented(encode(pixels, "png"), orientation), LAYOUT))


@pytest.mark.parametrize("frame_wh", [(95, 71), (97, 73), (191, 145)])
def test_a_frame_that_the_decoder_has_reduced_is_not_reduced_further(frame_wh: tuple[int, int]) -> None:
    """48 of 95 pixels could be halved again, and the CPU path, which looks at 95, does not."""
    reduction = reduction_for(frame_wh, content_wh_for(frame_wh, LAYOUT.wh, "letterbox"))
    whole, _ = plan_frame(SourceFrame(0, frame_wh, 1, frame_wh), LAYOUT, 0)
    reduced_wh = (-(-frame_wh[0] // reduction), -(-frame_wh[1] // reduction))
    reduced, _ = plan_frame(SourceFrame(0, reduced_wh, 1, frame_wh), LAYOUT, 0)
    assert (1 << whole.reduction_shift, reduced.reduction_shift) == (reduction, 0)
    assert reduction > 1


def test_several_frames_of_other_sizes_go_into_their_own_inputs_in_one_launch(scene: Draw, encode: Encode) -> None:
    frames = [scene(64, 48), scene(40, 56, seed=1), scene(20, 11, seed=2)]
    layouts = [
        LAYOUT,
        replace(LAYOUT, wh=(16, 20), color="bgr", pad_value=0),
        replace(LAYOUT, wh=(24, 12), mode="crop", planar=True),
    ]
    found = place([(pixels, 1) for pixels in frames], layouts)
    for each, pixels, layout in zip(found, frames, layouts, strict=True):
        assert_equal(each, on_the_cpu(encode(pixels, "png"), layout))


def test_floats_are_normalised_like_the_pixels_they_come_from(scene: Draw) -> None:
    factor, shift = (0.5, 0.25, 2.0), (1.0, -3.0, 10.0)
    pixels = scene(48, 40)
    ((whole, _),) = place([(pixels, 1)], [LAYOUT])
    ((found, _),) = place([(pixels, 1)], [replace(LAYOUT, planar=True)], (factor, shift), np.float32)
    expected = whole * np.array(factor, np.float32) - np.array(shift, np.float32)
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_padding_has_the_value_that_was_asked_for(scene: Draw) -> None:
    ((found, placement),) = place([(scene(48, 12), 1)], [replace(LAYOUT, pad_value=7)], IDENTITY)
    assert placement.offset_y == 6
    assert (found[:6] == 7).all()
    assert (found[12:] == 7).all()
    assert not (found[6:12] == 7).all()
