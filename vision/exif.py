"""The one EXIF tag that changes pixels: orientation."""

import struct

_ORIENTATION_TAG = 0x0112
_SHORT = 3
_BYTE_ORDERS = {b"II*\0": "<", b"MM\0*": ">"}
_ENTRY_BYTES = 12


def read_orientation(tiff: bytes) -> int:
    r"""Orientation in a TIFF structure, as found in JPEG's APP1, PNG's eXIf and WebP's EXIF chunk.

    Args:
        tiff: the structure, starting at its byte order mark; a leading ``Exif\0\0`` is skipped.

    Returns:
        1 to 8 as defined by EXIF 2.32 section 4.6.4; 1 when the tag is missing, or damaged.
    """
    tiff = tiff.removeprefix(b"Exif\0\0")
    order = _BYTE_ORDERS.get(tiff[:4])
    if order is None:
        return 1
    try:
        return _find_orientation(tiff, order)
    except struct.error:
        return 1


def _find_orientation(tiff: bytes, order: str) -> int:
    (directory,) = struct.unpack_from(f"{order}I", tiff, 4)
    (entries,) = struct.unpack_from(f"{order}H", tiff, directory)
    for start in range(directory + 2, directory + 2 + entries * _ENTRY_BYTES, _ENTRY_BYTES):
        tag, kind, count, value = struct.unpack_from(f"{order}HHIH", tiff, start)
        if tag == _ORIENTATION_TAG:
            return value if kind == _SHORT and count == 1 and 1 <= value <= 8 else 1
    return 1
