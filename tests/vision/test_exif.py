import struct
from collections.abc import Callable

import pytest

from vision.exif import read_orientation


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation_in_both_byte_orders(tiff: Callable[..., bytes], orientation: int, order: str) -> None:
    assert read_orientation(tiff(orientation, order)) == orientation
    assert read_orientation(b"Exif\0\0" + tiff(orientation, order)) == orientation


@pytest.mark.parametrize("orientation", [0, 9, 65535])
def test_orientation_out_of_range_is_upright(tiff: Callable[..., bytes], orientation: int) -> None:
    assert read_orientation(tiff(orientation)) == 1


@pytest.mark.parametrize(
    "damaged",
    [
        b"",
        b"II*\0",
        b"XX*\0\x08\0\0\0",
        b"II*\0\xff\xff\xff\xff",
        b"II*\0\x08\0\0\0\xff\xff",
        b"II*\0\x08\0\0\0" + struct.pack("<HHHII", 1, 0x0112, 4, 1, 6),
        b"II*\0\x08\0\0\0" + struct.pack("<HHHIHH", 1, 0x0112, 3, 2, 6, 0),
    ],
    ids=["empty", "no directory", "no byte order", "far directory", "no entries", "long value", "two values"],
)
def test_damaged_exif_is_upright(damaged: bytes) -> None:
    assert read_orientation(damaged) == 1
