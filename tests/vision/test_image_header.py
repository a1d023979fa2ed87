import io
import struct
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from vision.decode import decode_frame
from vision.errors import ImageError, InvalidImage, UnsupportedImage
from vision.image_header import ImageHeader, read_image_header

Encode = Callable[..., bytes]

PIXELS = np.arange(5 * 7 * 3, dtype=np.uint8).reshape(5, 7, 3) * 2
GREY = PIXELS[..., 0].copy()
RGBA = np.dstack([PIXELS, GREY])


@pytest.mark.parametrize(
    ("pixels", "kind", "options", "expected"),
    [
        (PIXELS, "jpeg", {}, ImageHeader("jpeg", 7, 5, 3, 8, 1, animated=False)),
        (PIXELS, "jpeg", {"progressive": True}, ImageHeader("jpeg", 7, 5, 3, 8, 1, animated=False, progressive=True)),
        (GREY, "jpeg", {}, ImageHeader("jpeg", 7, 5, 1, 8, 1, animated=False)),
        (PIXELS, "jpeg", {"mode": "CMYK"}, ImageHeader("jpeg", 7, 5, 4, 8, 1, animated=False)),
        (PIXELS, "png", {}, ImageHeader("png", 7, 5, 3, 8, 1, animated=False)),
        (PIXELS, "png", {"mode": "P"}, ImageHeader("png", 7, 5, 3, 8, 1, animated=False)),
        (GREY, "png", {}, ImageHeader("png", 7, 5, 1, 8, 1, animated=False)),
        (GREY, "png", {"mode": "LA"}, ImageHeader("png", 7, 5, 2, 8, 1, animated=False)),
        (RGBA, "png", {}, ImageHeader("png", 7, 5, 4, 8, 1, animated=False)),
        (GREY.astype(np.uint16) * 256, "png", {}, ImageHeader("png", 7, 5, 1, 16, 1, animated=False)),
        (PIXELS, "webp", {}, ImageHeader("webp", 7, 5, 3, 8, 1, animated=False)),
        (PIXELS, "webp", {"lossless": True}, ImageHeader("webp", 7, 5, 3, 8, 1, animated=False)),
        (RGBA, "webp", {}, ImageHeader("webp", 7, 5, 4, 8, 1, animated=False)),
        (RGBA, "webp", {"lossless": True}, ImageHeader("webp", 7, 5, 4, 8, 1, animated=False)),
        (PIXELS, "bmp", {}, ImageHeader("bmp", 7, 5, 3, 8, 1, animated=False)),
        (RGBA, "bmp", {}, ImageHeader("bmp", 7, 5, 4, 8, 1, animated=False)),
    ],
)
def test_header_of(
    encode: Encode, pixels: NDArray[np.generic], kind: str, options: dict[str, object], expected: ImageHeader
) -> None:
    assert read_image_header(encode(pixels, kind, **options)) == expected


def test_bmp_with_rows_from_top_to_bottom(encode: Encode) -> None:
    data = bytearray(encode(PIXELS, "bmp"))
    data[22:26] = struct.pack("<i", -5)
    assert read_image_header(bytes(data)).height == 5


def test_bmp_with_the_old_core_header() -> None:
    header = b"BM" + struct.pack("<IHHI", 26, 0, 0, 26) + struct.pack("<IHHHH", 12, 300, 200, 1, 24)
    assert read_image_header(header) == ImageHeader("bmp", 300, 200, 3, 8, 1, animated=False)


@pytest.mark.parametrize("kind", ["jpeg", "png", "webp"])
@pytest.mark.parametrize("order", ["<", ">"])
def test_orientation_of(encode: Encode, oriented: Encode, kind: str, order: str) -> None:
    data = encode(PIXELS, kind)
    header = read_image_header(oriented(data, 6, order))
    assert (header.orientation, header.width, header.height, header.displayed_wh) == (6, 7, 5, (5, 7))


def test_orientation_that_follows_the_pixels_of_a_png(encode: Encode, oriented: Encode) -> None:
    data = oriented(encode(PIXELS, "png"), 8)
    chunk_bytes = 12 + struct.unpack_from(">I", data, 33)[0]
    moved = data[:33] + data[33 + chunk_bytes : -12] + data[33 : 33 + chunk_bytes] + data[-12:]
    assert read_image_header(moved).orientation == 8


def test_jpeg_with_fill_bytes_and_junk_between_segments(encode: Encode) -> None:
    data = encode(PIXELS, "jpeg")
    assert read_image_header(data[:2] + b"\xff\xff" + data[2:]).width == 7
    assert read_image_header(data[:2] + b"\x00\x11\xff\x00" + data[2:]).width == 7


@pytest.mark.parametrize("kind", ["png", "webp"])
def test_animated(kind: str) -> None:
    frames = [Image.new("RGB", (8, 6), color) for color in ("red", "green", "blue")]
    buffer = io.BytesIO()
    frames[0].save(buffer, kind, save_all=True, append_images=frames[1:], duration=50)
    header = read_image_header(buffer.getvalue())
    assert header.animated
    assert (header.width, header.height) == (8, 6)


@pytest.mark.parametrize(
    ("data", "named"),
    [
        (b"GIF89a" + bytes(20), "GIF"),
        (b"GIF87a" + bytes(20), "GIF"),
        (b"II*\0" + bytes(20), "TIFF"),
        (b"MM\0*" + bytes(20), "TIFF"),
        (b"\0\0\0\x18ftypheic" + bytes(20), "HEIF"),
        (b"\0\0\0\x18ftypavif" + bytes(20), "AVIF"),
        (b"\0\0\0\x0cjP  \r\n\x87\n", "JPEG 2000"),
        (b"\0\0\0\x0cJXL \r\n\x87\n", "JPEG XL"),
        (b"\xff\x0a" + bytes(20), "JPEG XL"),
    ],
)
def test_other_formats_are_named(data: bytes, named: str) -> None:
    with pytest.raises(UnsupportedImage, match=named) as caught:
        read_image_header(data)
    assert "Send the picture as JPEG" in str(caught.value)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "0 bytes"),
        (b"hello", "does not start like a picture"),
        (b"\xff\xd8", "cut short"),
        (b"\xff\xd8\xff\xe0", "cut short"),
        (b"\xff\xd8\xff\xd9", "no pixels"),
        (b"\xff\xd8\xff\xda\0\x08\0\0\0\0\0\0", "no frame header"),
        (b"\xff\xd8" + b"\xff\x01" * 5000, "segments"),
        (b"\x89PNG\r\n\x1a\n", "cut short"),
        (b"\x89PNG\r\n\x1a\n" + struct.pack(">I4sIIBB", 13, b"IDAT", 1, 1, 8, 2), "valid header"),
        (b"RIFF\x04\0\0\0WEBPVP8 ", "cut short"),
        (b"RIFF\x0c\0\0\0WEBPJUNK\0\0\0\0", "does not start with a picture"),
        (b"BM" + bytes(12), "cut short"),
        (b"BM" + bytes(12) + struct.pack("<IiiHH", 40, 0, 4, 1, 24), "0 x 4"),
        (b"BM" + bytes(12) + struct.pack("<IiiHH", 40, 4, 4, 1, 7), "7 bits"),
    ],
)
def test_damaged_headers(data: bytes, reason: str) -> None:
    with pytest.raises(InvalidImage, match=reason):
        read_image_header(data)


def test_sizes_that_lie_are_read_without_decoding() -> None:
    start = b"\xff\xd8\xff\xc0" + struct.pack(">HBHHB", 17, 8, 65500, 65500, 3) + bytes(9)
    header = read_image_header(start + b"\xff\xda" + struct.pack(">HB", 12, 3) + bytes(9))
    assert (header.width, header.height) == (65500, 65500)


def test_second_frame_header_is_refused(encode: Encode) -> None:
    data = encode(PIXELS, "jpeg")
    with pytest.raises(InvalidImage, match="two frame headers"):
        read_image_header(data[:2] + b"\xff\xc0" + struct.pack(">HBHHB", 17, 8, 1, 1, 3) + bytes(9) + data[2:])


@pytest.mark.parametrize(("marker", "bits"), [(0xC0, 12), (0xC3, 8)])
def test_jpeg_kinds_that_no_camera_sends(marker: int, bits: int) -> None:
    frame = bytes([0xFF, marker]) + struct.pack(">HBHHB", 17, bits, 16, 16, 3) + bytes(9)
    with pytest.raises(UnsupportedImage, match="JPEG"):
        read_image_header(b"\xff\xd8" + frame + b"\xff\xda" + struct.pack(">HB", 12, 3))


def test_jpeg_with_endless_scans_is_refused(encode: Encode) -> None:
    data = encode(PIXELS, "jpeg", progressive=True)
    scan = b"\xff\xda" + struct.pack(">HBBBBBB", 8, 1, 1, 0, 1, 63, 0)
    with pytest.raises(UnsupportedImage, match="scans"):
        read_image_header(data[:-2] + scan * 200 + data[-2:])


def _samples() -> list[bytes]:
    samples = []
    for kind in ("jpeg", "png", "webp", "bmp"):
        buffer = io.BytesIO()
        Image.fromarray(PIXELS).save(buffer, kind)
        samples.append(buffer.getvalue())
    return samples


SAMPLES = _samples()
STARTS = [b"", b"\xff\xd8", b"\xff\xd8\xff\xe1\x00\x20Exif\0\0II*\0", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", b"BM"]
STARTS += [b"RIFF\x40\0\0\0WEBPVP8X\x0a\0\0\0", b"RIFF\x40\0\0\0WEBPVP8 ", b"RIFF\x40\0\0\0WEBPVP8L", b"GIF89a"]


def _only_image_errors(data: bytes) -> None:
    try:
        header = read_image_header(data)
        assert header.width >= 1
        assert header.height >= 1
        assert 1 <= header.orientation <= 8
        frame = decode_frame(data, target_wh=(4, 4), max_pixels=10_000)
    except ImageError:
        return
    assert frame.frame_wh == header.displayed_wh
    assert frame.rgb.shape[2] == 3


@settings(max_examples=300, deadline=None, database=None, derandomize=True)
@given(start=st.sampled_from(STARTS), rest=st.binary(max_size=120))
def test_garbage_gives_image_errors_only(start: bytes, rest: bytes) -> None:
    _only_image_errors(start + rest)


@settings(max_examples=400, deadline=None, database=None, derandomize=True)
@given(
    sample=st.sampled_from(SAMPLES),
    changes=st.lists(st.tuples(st.integers(0, 10_000), st.integers(0, 255)), max_size=4),
    cut=st.one_of(st.none(), st.integers(0, 10_000)),
)
def test_damage_gives_image_errors_only(sample: bytes, changes: list[tuple[int, int]], cut: int | None) -> None:
    damaged = bytearray(sample)
    for position, value in changes:
        damaged[position % len(damaged)] = value
    _only_image_errors(bytes(damaged[: None if cut is None else cut % len(damaged)]))
