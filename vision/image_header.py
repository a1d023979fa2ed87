"""Size and kind of an encoded picture, from its first bytes; pixels are never decoded here.

Sizes are checked against the limit before any memory is taken, so these readers find the same numbers
as the decoders do: the first frame header of a JPEG, IHDR, the WebP canvas, the BMP info header.
"""

import re
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

from vision.errors import InvalidImage, UnsupportedImage
from vision.exif import read_orientation

ImageFormat = Literal["jpeg", "png", "webp", "bmp"]

_MAX_SEGMENTS = 4096
_MAX_SCANS = 100
_NEXT_MARKER = re.compile(rb"[^\xff]*\xff+([^\xff])", re.DOTALL)
_FRAME_MARKERS = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_LOSSLESS_MARKERS = frozenset({0xC3, 0xC7, 0xCB, 0xCF})
_PROGRESSIVE_MARKERS = frozenset({0xC2, 0xC6, 0xCA, 0xCE})
_BARE_MARKERS = frozenset({0x00, 0x01, *range(0xD0, 0xD8)})
_START_OF_IMAGE, _END_OF_IMAGE, _START_OF_SCAN, _APP1, _APP14 = 0xD8, 0xD9, 0xDA, 0xE1, 0xEE
_ADOBE, _ADOBE_TRANSFORM, _ADOBE_YCC = b"Adobe", 11, 1

_PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_PNG_CHANNELS = {0: 1, 2: 3, 3: 3, 4: 2, 6: 4}
_WEBP_ANIMATION, _WEBP_ALPHA = 0x02, 0x10


@dataclass(frozen=True, slots=True)
class ImageHeader:
    """What an encoded picture says about itself.

    Attributes:
        format: how it is encoded.
        width: stored width in pixels, before orientation is applied.
        height: stored height in pixels, before orientation is applied.
        channels: 1 grey, 2 grey and alpha, 3 colour, 4 colour and alpha or CMYK.
        bits: per channel.
        orientation: EXIF orientation, 1 to 8.
        animated: more than one frame.
        progressive: a JPEG whose pixels come in several passes.
        stored_as_rgb: a JPEG that may store red, green and blue themselves: its Adobe marker names no transform, or its
            components are named so.
    """

    format: ImageFormat
    width: int
    height: int
    channels: int
    bits: int
    orientation: int
    animated: bool
    progressive: bool = False
    stored_as_rgb: bool = False

    @property
    def displayed_wh(self) -> tuple[int, int]:
        """Width and height after the orientation is applied."""
        return (self.height, self.width) if self.orientation >= 5 else (self.width, self.height)


def read_image_header(data: bytes) -> ImageHeader:
    """Read format, size and orientation.

    Raises:
        InvalidImage: the bytes are no picture, or their header is cut short or damaged.
        UnsupportedImage: the bytes are a picture in another format.
    """
    if not data:
        raise InvalidImage("it has 0 bytes")
    reader = _reader_of(data)
    try:
        header = reader(data)
    except (struct.error, IndexError) as error:
        raise InvalidImage("its header is cut short") from error
    if header.width < 1 or header.height < 1:
        raise InvalidImage(f"its header says {header.width} x {header.height} pixels")
    return header


def _reader_of(data: bytes) -> Callable[[bytes], ImageHeader]:
    if data.startswith(b"\xff\xd8"):
        return _read_jpeg
    if data.startswith(_PNG_SIGNATURE):
        return _read_png
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return _read_webp
    if data.startswith(b"BM"):
        return _read_bmp
    _refuse_known(data)
    raise InvalidImage(f"it does not start like a picture (first bytes: {data[:8].hex(' ')})")


def _refuse_known(data: bytes) -> None:
    starts = {b"GIF87a": "GIF", b"GIF89a": "GIF", b"II*\0": "TIFF", b"MM\0*": "TIFF", b"\xff\x0a": "JPEG XL"}
    for start, kind in starts.items():
        if data.startswith(start):
            raise UnsupportedImage(f"A picture in the format {kind}")
    if data[4:12] in (b"ftypheic", b"ftypheix", b"ftypmif1", b"ftypavif", b"ftypavis"):
        raise UnsupportedImage(f"A picture in the format {'AVIF' if data[8:11] == b'avi' else 'HEIF'}")
    if data[4:8] in (b"jP  ", b"JXL "):
        raise UnsupportedImage(f"A picture in the format {'JPEG 2000' if data[4:6] == b'jP' else 'JPEG XL'}")


def _read_jpeg(data: bytes) -> ImageHeader:
    frame: tuple[int, int] | None = None
    orientation, adobe_rgb = 0, False
    for marker, body in _jpeg_segments(data):
        if marker in _FRAME_MARKERS:
            if frame is not None:
                raise InvalidImage("the JPEG has two frame headers")
            frame = marker, body
        elif marker == _START_OF_SCAN:
            if frame is None:
                break
            return _read_jpeg_frame(data, frame, body, orientation or 1, adobe_rgb)
        elif marker == _APP14 and data.startswith(_ADOBE, body):
            adobe_rgb = data[body + _ADOBE_TRANSFORM] != _ADOBE_YCC
        elif marker == _APP1 and not orientation and data.startswith(b"Exif\0\0", body):
            (length,) = struct.unpack_from(">H", data, body - 2)
            orientation = read_orientation(data[body : body - 2 + length])
    raise InvalidImage("the JPEG has no frame header before its pixels")


def _jpeg_segments(data: bytes) -> Iterator[tuple[int, int]]:
    """Markers with the position of what follows their length; the first scan is the last one."""
    position = 2
    for _ in range(_MAX_SEGMENTS):
        found = _NEXT_MARKER.match(data, position)
        if found is None:
            raise InvalidImage("the JPEG is cut short before its pixels")
        marker, position = found[1][0], found.end()
        if marker in _BARE_MARKERS:
            continue
        if marker in (_START_OF_IMAGE, _END_OF_IMAGE):
            raise InvalidImage("the JPEG has no pixels")
        (length,) = struct.unpack_from(">H", data, position)
        yield marker, position + 2
        position += max(length, 2)
    raise InvalidImage(f"the JPEG has more than {_MAX_SEGMENTS} segments before its pixels")


def _read_jpeg_frame(data: bytes, frame: tuple[int, int], scan: int, orientation: int, adobe_rgb: bool) -> ImageHeader:
    marker, body = frame
    bits, height, width, channels = struct.unpack_from(">BHHB", data, body)
    if marker in _LOSSLESS_MARKERS or bits != 8:
        raise UnsupportedImage(f"A {bits}-bit {'lossless ' if marker in _LOSSLESS_MARKERS else ''}JPEG")
    # Every scan is a pass over the whole picture, and an empty one takes a few bytes.
    progressive = marker in _PROGRESSIVE_MARKERS or data[scan] < channels
    if progressive and data.count(b"\xff\xda") > _MAX_SCANS:
        raise UnsupportedImage(f"A JPEG with more than {_MAX_SCANS} scans")
    as_rgb = channels == 3 and (adobe_rgb or data[body + 6 : body + 13 : 3] == b"RGB")
    return ImageHeader("jpeg", width, height, channels, bits, orientation, False, progressive, as_rgb)


def _read_png(data: bytes) -> ImageHeader:
    length, kind, width, height, bits, color = struct.unpack_from(">I4sIIBB", data, 8)
    if kind != b"IHDR" or length != 13 or color not in _PNG_CHANNELS:
        raise InvalidImage("the PNG does not start with a valid header")
    chunks = _png_chunks(data)
    orientation = read_orientation(chunks[b"eXIf"]) if b"eXIf" in chunks else 1
    return ImageHeader("png", width, height, _PNG_CHANNELS[color], bits, orientation, animated=b"acTL" in chunks)


def _png_chunks(data: bytes) -> dict[bytes, bytes]:
    """The animation and EXIF chunks; EXIF may stand before or after the pixels (PNG third edition, 11.3.3.6)."""
    wanted: dict[bytes, bytes] = {}
    position = len(_PNG_SIGNATURE)
    for _ in range(_MAX_SEGMENTS):
        length, kind = struct.unpack_from(">I4s", data, position)
        if kind in (b"acTL", b"eXIf"):
            wanted.setdefault(kind, data[position + 8 : position + 8 + length])
        position += 12 + length
        if position > len(data):
            raise InvalidImage("the PNG is cut short")
        if kind == b"IEND":
            break
    return wanted


def _read_webp(data: bytes) -> ImageHeader:
    (size_bytes,) = struct.unpack_from("<I", data, 4)
    if len(data) < 8 + size_bytes:
        raise InvalidImage(f"the WebP is cut short, it has {len(data)} of {8 + size_bytes} bytes")
    kind = data[12:16]
    if kind == b"VP8X":
        return _read_extended_webp(data)
    if kind == b"VP8L":
        signature, packed = struct.unpack_from("<BI", data, 20)
        if signature != 0x2F:
            raise InvalidImage("the WebP has no lossless header")
        width, height, alpha = (packed & 0x3FFF) + 1, (packed >> 14 & 0x3FFF) + 1, packed >> 28 & 1
        return ImageHeader("webp", width, height, 4 if alpha else 3, 8, 1, animated=False)
    if kind == b"VP8 ":
        start_code, width, height = struct.unpack_from("<3sHH", data, 23)
        if start_code != b"\x9d\x01\x2a":
            raise InvalidImage("the WebP has no key frame")
        return ImageHeader("webp", width & 0x3FFF, height & 0x3FFF, 3, 8, 1, animated=False)
    raise InvalidImage("the WebP does not start with a picture")


def _read_extended_webp(data: bytes) -> ImageHeader:
    """VP8X header of the WebP container specification: flags, then canvas width and height less one, 24 bits each."""
    flags, width, height_low, height_high = struct.unpack_from("<I3sHB", data, 20)
    return ImageHeader(
        format="webp",
        width=int.from_bytes(width, "little") + 1,
        height=(height_high << 16 | height_low) + 1,
        channels=4 if flags & _WEBP_ALPHA else 3,
        bits=8,
        orientation=_webp_orientation(data),
        animated=bool(flags & _WEBP_ANIMATION),
    )


def _webp_orientation(data: bytes) -> int:
    position = 12
    for _ in range(_MAX_SEGMENTS):
        if position + 8 > len(data):
            break
        kind, length = struct.unpack_from("<4sI", data, position)
        if kind == b"EXIF":
            return read_orientation(data[position + 8 : position + 8 + length])
        position += 8 + length + length % 2
    return 1


def _read_bmp(data: bytes) -> ImageHeader:
    (header_bytes,) = struct.unpack_from("<I", data, 14)
    if header_bytes == 12:
        width, height, _, bits = struct.unpack_from("<HHHH", data, 18)
    else:
        # A negative height means rows from top to bottom.
        width, height, _, bits = struct.unpack_from("<iiHH", data, 18)
    if bits not in (1, 2, 4, 8, 16, 24, 32):
        raise InvalidImage(f"the BMP header says {bits} bits per pixel")
    return ImageHeader("bmp", width, abs(height), 4 if bits == 32 else 3, 8, 1, animated=False)
