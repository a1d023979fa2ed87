"""Against the plain reference that the docstring of `vision.prepare` describes, within the tolerances it states."""

from collections.abc import Callable

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from vision.errors import ImageTooLarge, InvalidImage
from vision.letterbox import FitMode, Placement
from vision.prepare import prepare_frame

Pixels = NDArray[np.uint8]
Draw = Callable[..., Pixels]
Encode = Callable[..., bytes]


def plain_reference(data: bytes, input_wh: tuple[int, int], mode: FitMode) -> NDArray[np.float32]:
    decoded = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    frame = np.asarray(decoded)[..., ::-1].astype(np.float32)
    height, width = frame.shape[:2]
    scale = min(input_wh[0] / width, input_wh[1] / height)
    size = input_wh if mode == "stretch" else (max(1, round(width * scale)), max(1, round(height * scale)))
    factor = 1
    while width / factor / 2 >= size[0] and height / factor / 2 >= size[1]:
        factor *= 2
    reduced = cv2.resize(frame, (-(-width // factor), -(-height // factor)), interpolation=cv2.INTER_AREA)
    content = cv2.resize(reduced, size, interpolation=cv2.INTER_LINEAR)
    out = np.full((input_wh[1], input_wh[0], 3), 114, np.float32)
    left, top = (input_wh[0] - size[0]) // 2, (input_wh[1] - size[1]) // 2
    out[top : top + size[1], left : left + size[0]] = content
    return out


def prepared(data: bytes, input_wh: tuple[int, int], mode: FitMode = "letterbox") -> Pixels:
    out = np.empty((input_wh[1], input_wh[0], 3), np.uint8)
    prepare_frame(data, input_wh=input_wh, mode=mode, out=out)
    return out


INEXACT = {"420": (1.5, 15.0), "444": (0.6, 3.0)}
EXACT = (0.5, 1.0)


@pytest.mark.parametrize("kind", ["420", "444", "png"])
@pytest.mark.parametrize("input_wh", [(416, 320), (640, 640)])
@pytest.mark.parametrize("frame_wh", [(1280, 960), (1280, 720), (832, 624), (810, 1080), (1283, 961), (320, 240)])
def test_equals_the_plain_reference(
    scene: Draw, encode: Encode, kind: str, input_wh: tuple[int, int], frame_wh: tuple[int, int]
) -> None:
    data = encode(scene(*frame_wh, seed=frame_wh[0]), kind)
    difference = np.abs(prepared(data, input_wh) - plain_reference(data, input_wh, "letterbox"))
    reduced = min(input_wh[0] / frame_wh[0], input_wh[1] / frame_wh[1]) <= 0.5
    by_dct = kind in INEXACT and reduced and not any(side % 2 for side in frame_wh)
    mean, percentile = INEXACT[kind] if by_dct else EXACT
    assert difference.mean() <= mean
    assert np.percentile(difference, 99) <= percentile
    if not by_dct:
        assert difference.max() <= 1.5


@pytest.mark.parametrize("frame_wh", [(900, 700), (300, 700), (1, 50), (2000, 3)])
def test_stretch_equals_the_plain_reference(scene: Draw, encode: Encode, frame_wh: tuple[int, int]) -> None:
    data = encode(scene(*frame_wh), "png")
    difference = np.abs(prepared(data, (416, 320), "stretch") - plain_reference(data, (416, 320), "stretch"))
    assert difference.max() <= 1.5


@pytest.mark.parametrize("input_wh", [(320, 224), (208, 160), (104, 80), (50, 40)])
def test_strong_reduction_equals_the_plain_reference(scene: Draw, encode: Encode, input_wh: tuple[int, int]) -> None:
    data = encode(scene(1280, 960, seed=1280), "420")
    difference = np.abs(prepared(data, input_wh) - plain_reference(data, input_wh, "letterbox"))
    assert difference.mean() <= 0.6
    assert np.percentile(difference, 99) <= 5


@pytest.mark.parametrize("frame_wh", [(1, 1), (1, 3000), (3000, 1), (2, 2), (7, 4000)])
@pytest.mark.parametrize("kind", ["420", "png"])
def test_extreme_shapes_leave_at_least_one_pixel(
    scene: Draw, encode: Encode, kind: str, frame_wh: tuple[int, int]
) -> None:
    out = np.empty((320, 416, 3), np.uint8)
    black = np.zeros((frame_wh[1], frame_wh[0], 3), np.uint8)
    at = prepare_frame(encode(black, kind), input_wh=(416, 320), out=out).placement
    width, height = max(1, round(frame_wh[0] * at.scale_x)), max(1, round(frame_wh[1] * at.scale_y))
    assert (out == 0).all(axis=2).sum() == width * height
    assert (out == 114).all(axis=2).sum() == 416 * 320 - width * height


def test_decoding_straight_into_the_input_gives_the_same(scene: Draw, encode: Encode) -> None:
    data = encode(scene(1280, 720), "420")
    # With padding left and right the rows are not contiguous, and the picture goes through a copy.
    wide = prepared(data, (700, 360))
    np.testing.assert_array_equal(prepared(data, (640, 640))[140:500], wide[:, 30:670])


def test_color_order(scene: Draw, encode: Encode) -> None:
    for frame_wh in ((840, 640), (832, 624), (300, 200)):
        data = encode(scene(*frame_wh), "420")
        bgr = np.empty((320, 416, 3), np.uint8)
        prepare_frame(data, input_wh=(416, 320), color="bgr", out=bgr)
        np.testing.assert_array_equal(bgr[..., ::-1], prepared(data, (416, 320)))


def test_orientation_turns_frame_and_placement(scene: Draw, encode: Encode, oriented: Encode) -> None:
    upright, turned = (np.empty((320, 416, 3), np.uint8) for _ in range(2))
    pixels = scene(640, 480)
    prepare_frame(encode(np.rot90(pixels, -1), "png"), input_wh=(416, 320), out=upright)
    result = prepare_frame(oriented(encode(pixels, "png"), 6), input_wh=(416, 320), out=turned)
    np.testing.assert_array_equal(turned, upright)
    assert result.placement == Placement(0.5, 0.5, 88, 0, 480, 640)


def test_stage_times_are_reported(scene: Draw, encode: Encode) -> None:
    out = np.empty((320, 416, 3), np.uint8)
    result = prepare_frame(encode(scene(640, 480), "420"), input_wh=(416, 320), out=out)
    assert 0 < result.letterbox_seconds < 1
    assert 0 < result.decode_seconds < 1


def test_errors_come_through() -> None:
    out = np.empty((320, 416, 3), np.uint8)
    with pytest.raises(InvalidImage):
        prepare_frame(b"nothing", input_wh=(416, 320), out=out)
    ok, png = cv2.imencode(".png", np.zeros((10, 10, 3), np.uint8))
    assert ok
    with pytest.raises(ImageTooLarge):
        prepare_frame(png.tobytes(), input_wh=(416, 320), max_pixels=99, out=out)


@pytest.mark.parametrize("frame_wh", [(1280, 720), (720, 1280), (230, 224), (224, 224), (100, 60)])
def test_crop_shows_the_middle_of_the_reduced_frame(scene: Draw, encode: Encode, frame_wh: tuple[int, int]) -> None:
    """Against a resize of the whole frame to the size that covers the input, from which the middle is cut."""
    data = encode(scene(*frame_wh, seed=3), "png")
    scale = max(224 / side for side in frame_wh)
    covering = (max(224, round(frame_wh[0] * scale)), max(224, round(frame_wh[1] * scale)))
    whole = prepared(data, covering, "stretch").astype(np.float32)
    left, top = (covering[0] - 224) // 2, (covering[1] - 224) // 2
    difference = np.abs(prepared(data, (224, 224), "crop") - whole[top : top + 224, left : left + 224])
    # the cut is at whole pixels of the frame, so up to half of one away
    assert difference.mean() <= 6.0
    assert np.median(difference) <= 1.0
