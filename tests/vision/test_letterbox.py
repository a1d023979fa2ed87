import numpy as np
import pytest
from numpy.typing import NDArray

from vision.letterbox import FitMode, Placement, content_wh_for, letterbox, to_frame

Pixels = NDArray[np.uint8]


@pytest.mark.parametrize(
    ("frame_wh", "input_wh", "mode", "expected"),
    [
        ((1280, 960), (416, 320), "letterbox", (416, 312)),
        ((1280, 720), (640, 640), "letterbox", (640, 360)),
        ((810, 1080), (640, 640), "letterbox", (480, 640)),
        ((640, 640), (640, 640), "letterbox", (640, 640)),
        ((3, 2), (416, 320), "letterbox", (416, 277)),
        ((7, 4), (416, 320), "letterbox", (416, 238)),
        ((16, 3), (8, 8), "letterbox", (8, 2)),
        ((333, 500), (320, 320), "letterbox", (213, 320)),
        ((1, 5000), (416, 320), "letterbox", (1, 320)),
        ((5000, 1), (416, 320), "letterbox", (416, 1)),
        ((1, 1), (416, 320), "letterbox", (320, 320)),
        ((1280, 960), (416, 320), "stretch", (416, 320)),
        ((1, 5000), (416, 320), "stretch", (416, 320)),
        ((1280, 720), (224, 224), "crop", (398, 224)),
        ((720, 1280), (224, 224), "crop", (224, 398)),
        ((1280, 960), (416, 320), "crop", (427, 320)),
        ((2, 1), (224, 224), "crop", (448, 224)),
    ],
)
def test_content_size(
    frame_wh: tuple[int, int], input_wh: tuple[int, int], mode: FitMode, expected: tuple[int, int]
) -> None:
    assert content_wh_for(frame_wh, input_wh, mode) == expected


def run(rgb: Pixels, input_wh: tuple[int, int], mode: FitMode = "letterbox") -> tuple[Pixels, Placement]:
    out = np.full((input_wh[1], input_wh[0], 3), 7, np.uint8)
    frame_wh = (rgb.shape[1], rgb.shape[0])
    placement = letterbox(rgb, input_wh=input_wh, mode=mode, pad_value=114, color="rgb", frame_wh=frame_wh, out=out)
    return out, placement


def test_padding_above_and_below() -> None:
    out, placement = run(np.full((2, 4, 3), 200, np.uint8), (8, 9))
    assert (out[:2] == 114).all()
    assert (out[2:6] == 200).all()
    assert (out[6:] == 114).all()
    assert placement == Placement(2.0, 2.0, 0, 2, 4, 2)


def test_padding_left_and_right_with_the_odd_pixel_right() -> None:
    out, placement = run(np.full((4, 2, 3), 200, np.uint8), (9, 8))
    assert (out[:, :2] == 114).all()
    assert (out[:, 2:6] == 200).all()
    assert (out[:, 6:] == 114).all()
    assert placement == Placement(2.0, 2.0, 2, 0, 2, 4)


def test_stretch_has_no_padding() -> None:
    out, placement = run(np.full((4, 2, 3), 200, np.uint8), (8, 8), "stretch")
    assert (out == 200).all()
    assert placement == Placement(4.0, 2.0, 0, 0, 2, 4)


@pytest.mark.parametrize(
    ("shape_wh", "columns", "rows"),
    [((12, 6), slice(3, 9), slice(0, 6)), ((6, 13), slice(0, 6), slice(3, 9)), ((6, 6), slice(0, 6), slice(0, 6))],
)
def test_crop_keeps_the_middle(shape_wh: tuple[int, int], columns: slice, rows: slice) -> None:
    rgb = np.random.default_rng(0).integers(0, 256, (shape_wh[1], shape_wh[0], 3), dtype=np.uint8)
    out, placement = run(rgb, (6, 6), "crop")
    np.testing.assert_array_equal(out, rgb[rows, columns])
    assert (placement.offset_x, placement.offset_y) == ((6 - shape_wh[0]) // 2, (6 - shape_wh[1]) // 2)


def test_crop_fills_the_input_and_boxes_come_back() -> None:
    rgb = np.zeros((720, 1280, 3), np.uint8)
    rgb[200:400, 500:800] = 255
    out, placement = run(rgb, (224, 224), "crop")
    ys, xs = np.nonzero(out[..., 0] > 127)
    box = np.array([[xs.min(), ys.min(), xs.max() + 1, ys.max() + 1]], np.float32)
    np.testing.assert_allclose(to_frame(box, placement), [[500, 200, 800, 400]], atol=4)


def test_crop_of_a_thread_of_pixels_needs_no_more_memory_than_the_input() -> None:
    out, _ = run(np.full((1, 60_000, 3), 9, np.uint8), (224, 224), "crop")
    assert (out == 9).all()


def test_equal_size_is_a_copy() -> None:
    rgb = np.random.default_rng(0).integers(0, 255, (6, 8, 3), dtype=np.uint8)
    np.testing.assert_array_equal(run(rgb, (8, 6))[0], rgb)


def test_bilinear_interpolation_by_hand() -> None:
    rgb = np.array([[[0, 0, 0], [100, 40, 200]]], np.uint8)
    out, _ = run(rgb, (4, 1), "stretch")
    np.testing.assert_array_equal(out[0], [[0, 0, 0], [25, 10, 50], [75, 30, 150], [100, 40, 200]])


def test_bgr_swaps_channels_and_leaves_the_source() -> None:
    rgb = np.full((2, 4, 3), (10, 20, 30), np.uint8)
    out = np.zeros((8, 8, 3), np.uint8)
    letterbox(rgb, input_wh=(8, 8), mode="letterbox", pad_value=1, color="bgr", frame_wh=(4, 2), out=out)
    assert out[4, 4].tolist() == [30, 20, 10]
    assert out[0, 0].tolist() == [1, 1, 1]
    assert (rgb == (10, 20, 30)).all()


@pytest.mark.parametrize("shape_wh", [(8, 6), (6, 8), (8, 8)])
def test_out_may_be_a_slot_of_a_larger_region(shape_wh: tuple[int, int]) -> None:
    region = bytearray(b"\x05" * (3 * 8 * 8 * 3))
    slots = np.frombuffer(region, np.uint8).reshape(3, 8, 8, 3)
    rgb = np.full((shape_wh[1], shape_wh[0], 3), 99, np.uint8)
    letterbox(rgb, input_wh=(8, 8), mode="letterbox", pad_value=1, color="rgb", frame_wh=shape_wh, out=slots[1])
    assert set(np.unique(slots[1])) <= {1, 99}
    assert (slots[1] == 99).sum() == shape_wh[0] * shape_wh[1] * 3
    assert (slots[[0, 2]] == 5).all()


def test_rows_may_have_gaps_between_them() -> None:
    wide = np.full((4, 12, 3), 5, np.uint8)
    letterbox(
        np.full((2, 2, 3), 99, np.uint8),
        input_wh=(6, 4),
        mode="letterbox",
        pad_value=1,
        color="rgb",
        frame_wh=(2, 2),
        out=wide[:, 3:9],
    )
    assert (wide[:, :3] == 5).all()
    assert (wide[:, 9:] == 5).all()
    assert (wide[:, 3:9, 0] == [1, 99, 99, 99, 99, 1]).all()


@pytest.mark.parametrize(
    "out",
    [
        np.zeros((8, 9, 3), np.uint8),
        np.zeros((8, 8), np.uint8),
        np.zeros((8, 8, 3), np.float32),
        np.zeros((8, 8, 4), np.uint8)[..., :3],
        np.zeros((8, 16, 3), np.uint8)[:, ::2],
    ],
    ids=["shape", "dimensions", "dtype", "pixel stride", "column stride"],
)
def test_out_that_does_not_fit(out: Pixels) -> None:
    rgb = np.zeros((4, 4, 3), np.uint8)
    with pytest.raises(ValueError, match="out must be uint8"):
        letterbox(rgb, input_wh=(8, 8), mode="letterbox", pad_value=1, color="rgb", frame_wh=(4, 4), out=out)


def test_placement_speaks_of_the_frame_before_reduction() -> None:
    out = np.zeros((320, 416, 3), np.uint8)
    placement = letterbox(
        np.zeros((480, 640, 3), np.uint8),
        input_wh=(416, 320),
        mode="letterbox",
        pad_value=114,
        color="rgb",
        frame_wh=(1280, 960),
        out=out,
    )
    assert placement == Placement(0.325, 0.325, 0, 4, 1280, 960)


def test_boxes_back_to_the_frame() -> None:
    placement = Placement(0.5, 0.25, 10, 20, 100, 200)
    boxes = np.array([[10, 20, 60, 70], [20, 30, 30, 40], [0, 0, 500, 500], [-50, -50, -20, -20]], np.float32)
    framed = to_frame(boxes, placement)
    np.testing.assert_array_equal(framed, [[0, 0, 100, 200], [20, 40, 40, 80], [0, 0, 100, 200], [0, 0, 0, 0]])
    assert framed.dtype == np.float32
    assert boxes[0, 0] == 10


def test_no_boxes_back_to_the_frame() -> None:
    assert to_frame(np.empty((0, 4), np.float32), Placement(1, 1, 0, 0, 10, 10)).shape == (0, 4)


@pytest.mark.parametrize("frame_wh", [(1280, 960), (1283, 961), (331, 1999), (50, 40), (1, 700), (5000, 2)])
@pytest.mark.parametrize("mode", ["letterbox", "stretch"])
def test_there_and_back_again(frame_wh: tuple[int, int], mode: FitMode) -> None:
    width, height = frame_wh
    rgb = np.zeros((height, width, 3), np.uint8)
    out = np.empty((320, 416, 3), np.uint8)
    at = letterbox(rgb, input_wh=(416, 320), mode=mode, pad_value=114, color="rgb", frame_wh=frame_wh, out=out)
    boxes = np.array([[0, 0, width, height], [width * 0.25, height * 0.5, width * 0.75, height]], np.float32)
    offset = np.array([at.offset_x, at.offset_y] * 2, np.float32)
    inside = boxes * np.array([at.scale_x, at.scale_y] * 2, np.float32) + offset
    assert inside.min() >= 0
    assert (inside[:, [0, 2]] <= 416).all()
    assert (inside[:, [1, 3]] <= 320).all()
    np.testing.assert_allclose(to_frame(inside, at), boxes, rtol=1e-4, atol=1e-2)
