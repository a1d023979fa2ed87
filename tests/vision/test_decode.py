import io
import struct
from collections.abc import Callable

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageOps

from vision.decode import decode_frame, decode_pixels, reduction_for
from vision.errors import ImageTooLarge, InvalidImage, UnsupportedImage
from vision.image_header import read_image_header

Pixels = NDArray[np.uint8]
Draw = Callable[..., Pixels]
Encode = Callable[..., bytes]

LIMIT = 20_000_000


def difference(first: NDArray[np.generic], second: NDArray[np.generic]) -> NDArray[np.float64]:
    assert first.shape == second.shape
    result: NDArray[np.float64] = np.abs(first.astype(np.float64) - second.astype(np.float64))
    return result


@pytest.mark.parametrize(("kind", "options"), [("png", {}), ("bmp", {}), ("webp", {"lossless": True})])
@pytest.mark.parametrize(("width", "height"), [(1, 1), (1, 9), (9, 1), (3, 5), (64, 48), (97, 33)])
def test_lossless_formats_decode_exactly(
    scene: Draw, encode: Encode, kind: str, options: dict[str, object], width: int, height: int
) -> None:
    pixels = scene(width, height)
    frame = decode_frame(encode(pixels, kind, **options), target_wh=None, max_pixels=LIMIT)
    np.testing.assert_array_equal(frame.rgb, pixels)
    assert frame.rgb.dtype == np.uint8
    assert frame.frame_wh == (width, height)


@pytest.mark.parametrize("kind", ["420", "422", "444"])
@pytest.mark.parametrize(("width", "height"), [(1, 1), (1, 40), (40, 1), (17, 31), (640, 480)])
def test_jpeg_in_full_equals_an_independent_decoder(
    scene: Draw, encode: Encode, kind: str, width: int, height: int
) -> None:
    data = encode(scene(width, height), kind)
    frame = decode_frame(data, target_wh=None, max_pixels=LIMIT)
    with Image.open(io.BytesIO(data)) as picture:
        assert difference(frame.rgb, np.asarray(picture.convert("RGB"))).max() <= 1


@pytest.mark.parametrize(
    ("frame_wh", "target_wh", "expected"),
    [
        ((1280, 960), (416, 312), 2),
        ((1280, 720), (640, 360), 2),
        ((1279, 720), (640, 360), 1),
        ((1280, 719), (640, 360), 1),
        ((640, 480), (416, 312), 1),
        ((320, 240), (416, 312), 1),
        ((4000, 3000), (416, 312), 8),
        ((8000, 6000), (416, 312), 16),
        ((1, 4000), (1, 320), 1),
        ((2, 4000), (1, 320), 2),
        ((3, 5), (0, 0), 2),
    ],
)
def test_reduction_is_the_largest_that_covers_the_target(
    frame_wh: tuple[int, int], target_wh: tuple[int, int], expected: int
) -> None:
    assert reduction_for(frame_wh, target_wh) == expected


@pytest.mark.parametrize(
    ("kind", "width", "height", "target_wh", "expected_wh"),
    [
        ("420", 1280, 960, (416, 312), (640, 480)),
        ("420", 1280, 960, (641, 1), (1280, 960)),
        ("420", 1280, 960, (320, 240), (320, 240)),
        ("420", 1600, 1200, (100, 75), (100, 75)),
        ("420", 1281, 961, (416, 312), (641, 481)),
        ("420", 1282, 964, (320, 240), (321, 241)),
        ("png", 640, 480, (150, 100), (160, 120)),
        ("png", 641, 479, (150, 100), (161, 120)),
        ("420", 16, 16, (1, 1), (1, 1)),
        ("420", 6, 2, (1, 1), (3, 1)),
    ],
)
def test_size_after_reduction(
    scene: Draw,
    encode: Encode,
    kind: str,
    width: int,
    height: int,
    target_wh: tuple[int, int],
    expected_wh: tuple[int, int],
) -> None:
    frame = decode_frame(encode(scene(width, height), kind), target_wh=target_wh, max_pixels=LIMIT)
    assert frame.rgb.shape == (expected_wh[1], expected_wh[0], 3)
    assert frame.frame_wh == (width, height)


def test_reduction_of_other_formats_averages_blocks(encode: Encode) -> None:
    pixels = np.zeros((4, 4, 3), np.uint8)
    pixels[:2, :2] = [[[0, 40, 8], [100, 40, 8]], [[100, 40, 8], [200, 40, 16]]]
    frame = decode_frame(encode(pixels, "png"), target_wh=(2, 2), max_pixels=LIMIT)
    np.testing.assert_array_equal(frame.rgb[0, 0], [100, 40, 10])
    np.testing.assert_array_equal(frame.rgb[1, 1], [0, 0, 0])


def test_scaled_dct_is_as_near_to_the_original_as_a_full_decode(scene: Draw, encode: Encode) -> None:
    pixels = scene(1280, 960, 3)
    data = encode(pixels, "420")
    truth = np.asarray(cv2.resize(pixels.astype(np.float32), (640, 480), interpolation=cv2.INTER_AREA))
    full = decode_frame(data, target_wh=None, max_pixels=LIMIT).rgb
    averaged = np.asarray(cv2.resize(full, (640, 480), interpolation=cv2.INTER_AREA))
    scaled = decode_frame(data, target_wh=(640, 480), max_pixels=LIMIT).rgb
    assert difference(scaled, truth).mean() <= difference(averaged, truth).mean() + 0.1
    assert np.percentile(difference(scaled, truth), 99) <= np.percentile(difference(averaged, truth), 99) + 1


# Where the four corners of the stored picture go: EXIF 2.32 section 4.6.4, tag 274.
DISPLAYED = {
    1: [[1, 2], [3, 4]],
    2: [[2, 1], [4, 3]],
    3: [[4, 3], [2, 1]],
    4: [[3, 4], [1, 2]],
    5: [[1, 3], [2, 4]],
    6: [[3, 1], [4, 2]],
    7: [[4, 2], [3, 1]],
    8: [[2, 4], [1, 3]],
}


@pytest.mark.parametrize("kind", ["jpeg", "png", "webp"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation_moves_the_corners(encode: Encode, oriented: Encode, kind: str, orientation: int) -> None:
    stored = np.repeat(np.repeat(np.array([[1, 2], [3, 4]], np.uint8) * 50, 16, axis=0), 32, axis=1)
    data = oriented(encode(np.dstack([stored] * 3), kind), orientation)
    frame = decode_frame(data, target_wh=None, max_pixels=LIMIT)
    height, width = frame.rgb.shape[:2]
    assert frame.frame_wh == (width, height) == ((64, 32) if orientation < 5 else (32, 64))
    corners = frame.rgb[[[4, 4], [-5, -5]], [[4, -5], [4, -5]], 0]
    assert difference(corners, np.array(DISPLAYED[orientation]) * 50).max() <= 3


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize(("width", "height"), [(640, 480), (641, 483)])
def test_orientation_with_reduction_equals_an_independent_one(
    scene: Draw, encode: Encode, oriented: Encode, orientation: int, width: int, height: int
) -> None:
    data = oriented(encode(scene(width, height, orientation), "444"), orientation)
    with Image.open(io.BytesIO(data)) as picture:
        upright = np.asarray(ImageOps.exif_transpose(picture).convert("RGB"))
    target_wh = (200, 200)
    frame = decode_frame(data, target_wh=target_wh, max_pixels=LIMIT)
    assert frame.frame_wh == (upright.shape[1], upright.shape[0])
    size = (frame.rgb.shape[1], frame.rgb.shape[0])
    assert size == ((-(-width // 2), -(-height // 2)) if orientation < 5 else (-(-height // 2), -(-width // 2)))
    expected = np.asarray(cv2.resize(upright, size, interpolation=cv2.INTER_AREA))
    assert difference(frame.rgb, expected).mean() < 0.6


@pytest.mark.parametrize("kind", ["jpeg", "png", "webp", "bmp"])
def test_grey_becomes_rgb(encode: Encode, kind: str) -> None:
    grey = np.repeat(np.arange(0, 240, 10, dtype=np.uint8)[None], 16, axis=0)
    frame = decode_frame(encode(grey, kind), target_wh=None, max_pixels=LIMIT)
    assert frame.rgb.shape == (16, 24, 3)
    assert difference(frame.rgb, np.dstack([grey] * 3)).max() <= 6


@pytest.mark.parametrize("kind", ["png", "webp", "bmp"])
def test_alpha_is_dropped_not_composited(encode: Encode, kind: str) -> None:
    pixels = np.full((8, 8, 4), (200, 100, 50, 255), np.uint8)
    pixels[:4, :, 3] = 0
    options: dict[str, object] = {"lossless": True, "exact": True} if kind == "webp" else {}
    frame = decode_frame(encode(pixels, kind, **options), target_wh=None, max_pixels=LIMIT)
    np.testing.assert_array_equal(frame.rgb, pixels[..., :3])


def test_sixteen_bits_keep_the_upper_eight(encode: Encode) -> None:
    grey = (np.arange(64, dtype=np.uint16) * 1024 + 255).reshape(8, 8)
    frame = decode_frame(encode(grey, "png"), target_wh=None, max_pixels=LIMIT)
    np.testing.assert_array_equal(frame.rgb, np.dstack([grey >> 8] * 3))


def test_palette_becomes_rgb(encode: Encode) -> None:
    pixels = np.zeros((8, 8, 3), np.uint8)
    pixels[:4] = (255, 0, 10)
    frame = decode_frame(encode(pixels, "png", mode="P"), target_wh=None, max_pixels=LIMIT)
    assert difference(frame.rgb[0, 0], np.array([255, 0, 10])).max() <= 26
    assert frame.rgb[7, 7].tolist() == [0, 0, 0]


@pytest.mark.parametrize("target_wh", [None, (160, 120)])
def test_cmyk_becomes_rgb(scene: Draw, encode: Encode, target_wh: tuple[int, int] | None) -> None:
    data = encode(scene(640, 480), "jpeg", mode="CMYK", quality=95)
    frame = decode_frame(data, target_wh=target_wh, max_pixels=LIMIT)
    with Image.open(io.BytesIO(data)) as picture:
        expected = np.asarray(picture.convert("RGB"))
    size = (frame.rgb.shape[1], frame.rgb.shape[0])
    expected = np.asarray(cv2.resize(expected, size, interpolation=cv2.INTER_AREA))
    assert difference(frame.rgb, expected).mean() < 3


def test_progressive_jpeg_is_reduced_too(scene: Draw, encode: Encode) -> None:
    data = encode(scene(640, 480), "jpeg", progressive=True)
    assert decode_frame(data, target_wh=(300, 200), max_pixels=LIMIT).rgb.shape == (240, 320, 3)


def test_chroma_layout_that_turbojpeg_does_not_know(encode: Encode) -> None:
    data = bytearray(encode(np.zeros((16, 48, 3), np.uint8), "444"))
    # Three blocks of luma to one of chroma, and 2 x 2 such units of 24 x 8 pixels; each block says that it is empty in
    # the standard Huffman codes (JPEG, ITU T.81 annex K), which is mid grey.
    data[data.index(b"\xff\xc0") + 11] = 0x31
    scan = data.index(b"\xff\xda")
    bits = "".join(["001010" * 3, "0000", "0000"] * 4)
    pixels = int(bits, 2).to_bytes(len(bits) // 8, "big")
    flat = bytes(data[: scan + 14]) + pixels + b"\xff\xd9"
    frame = decode_frame(flat, target_wh=(24, 8), max_pixels=LIMIT)
    assert frame.rgb.shape == (8, 24, 3)
    assert (frame.rgb == 128).all()
    with pytest.raises(InvalidImage):
        decode_frame(flat[:-8], target_wh=(24, 8), max_pixels=LIMIT)


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("jpeg", {}),
        ("jpeg", {"progressive": True}),
        ("jpeg", {"mode": "CMYK"}),
        ("jpeg", {"mode": "L"}),
        ("png", {}),
        ("webp", {}),
        ("webp", {"lossless": True}),
        ("bmp", {}),
    ],
)
@pytest.mark.parametrize("share", [0.02, 0.3, 0.5, 0.9, 0.995])
def test_cut_short_is_an_error_not_half_a_picture(
    scene: Draw, encode: Encode, kind: str, options: dict[str, object], share: float
) -> None:
    data = encode(scene(320, 240), kind, **options)
    with pytest.raises(InvalidImage, match="Send a complete"):
        decode_frame(data[: int(len(data) * share)], target_wh=(100, 100), max_pixels=LIMIT)


def test_jpeg_without_its_last_bytes_is_an_error(scene: Draw, encode: Encode) -> None:
    with pytest.raises(InvalidImage, match="cut short"):
        decode_frame(encode(scene(320, 240), "420")[:-2], target_wh=None, max_pixels=LIMIT)


def test_padding_that_webcams_put_before_the_end_marker_does_no_harm(scene: Draw, encode: Encode) -> None:
    data = encode(scene(64, 48), "420")
    padded = data[:-2] + b"\x00\x00\x00" + data[-2:]
    np.testing.assert_array_equal(
        decode_frame(padded, target_wh=None, max_pixels=LIMIT).rgb,
        decode_frame(data, target_wh=None, max_pixels=LIMIT).rgb,
    )


def test_bytes_behind_the_picture_do_no_harm(scene: Draw, encode: Encode) -> None:
    for kind in ("420", "png", "webp", "bmp"):
        data = encode(scene(32, 24), kind) + b"trailer" * 10
        assert decode_frame(data, target_wh=None, max_pixels=LIMIT).rgb.shape == (24, 32, 3)


def test_limit_is_checked_before_decoding() -> None:
    frame = b"\xff\xc0" + struct.pack(">HBHHB", 17, 8, 6000, 10_000, 3) + bytes(9)
    bomb = b"\xff\xd8" + frame + b"\xff\xda" + struct.pack(">HB", 12, 3) + bytes(9)
    with pytest.raises(ImageTooLarge) as caught:
        decode_frame(bomb, target_wh=(416, 312), max_pixels=50_000_000)
    assert (caught.value.pixels, caught.value.limit) == (60_000_000, 50_000_000)
    assert "60.0 megapixels, the limit is 50.0" in str(caught.value)


@pytest.mark.parametrize("kind", ["420", "png", "webp", "bmp"])
def test_limit_counts_pixels_exactly(scene: Draw, encode: Encode, kind: str) -> None:
    data = encode(scene(100, 50), kind)
    decode_frame(data, target_wh=None, max_pixels=5000)
    with pytest.raises(ImageTooLarge):
        decode_frame(data, target_wh=None, max_pixels=4999)


@pytest.mark.parametrize(("kind", "named"), [("png", "An animated PNG"), ("webp", "An animated WebP"), ("gif", "GIF")])
def test_animations_are_refused_with_advice(kind: str, named: str) -> None:
    frames = [Image.new("RGB", (8, 6), color) for color in ("red", "green")]
    buffer = io.BytesIO()
    frames[0].save(buffer, kind, save_all=True, append_images=frames[1:], duration=50)
    with pytest.raises(UnsupportedImage, match=named) as caught:
        decode_frame(buffer.getvalue(), target_wh=None, max_pixels=LIMIT)
    assert caught.value.advice.startswith("Send ")


@pytest.mark.parametrize("kind", ["420", "png"])
def test_bgr_is_rgb_swapped(scene: Draw, encode: Encode, kind: str) -> None:
    data = encode(scene(64, 48), kind)
    header = read_image_header(data)
    bgr = decode_pixels(data, header, target_wh=None, max_pixels=LIMIT, color="bgr")
    rgb = decode_pixels(data, header, target_wh=None, max_pixels=LIMIT, color="rgb")
    np.testing.assert_array_equal(bgr[..., ::-1], rgb)


def test_buffer_of_the_right_size_is_decoded_into(scene: Draw, encode: Encode) -> None:
    data = encode(scene(640, 480), "420")
    header = read_image_header(data)
    buffer = np.zeros((240, 320, 3), np.uint8)
    pixels = decode_pixels(data, header, target_wh=(320, 240), max_pixels=LIMIT, color="rgb", buffer=buffer)
    assert pixels is buffer
    np.testing.assert_array_equal(buffer, decode_frame(data, target_wh=(320, 240), max_pixels=LIMIT).rgb)
