"""JPEGs whose colours decoders may read in different ways do not get to the GPU's decoder."""

import numpy as np
import pytest
import simplejpeg

from gateway.cuda.device_decoding import decodes_on_device
from tests.gateway.cuda.small_pictures import smooth
from vision.image_header import read_image_header

PLAIN = bytes(simplejpeg.encode_jpeg(np.ascontiguousarray(smooth(48, 36)), quality=95, colorsubsampling="444"))
_APP0_BYTES = 20
_FRAME = PLAIN.index(b"\xff\xc0")


def adobe(transform: int) -> bytes:
    """The Adobe marker in place of the JFIF marker (Adobe technical note 5116, section 18)."""
    body = b"Adobe" + bytes((0, 100, 0, 0, 0, 0, transform))
    return PLAIN[:2] + b"\xff\xee" + (len(body) + 2).to_bytes(2, "big") + body + PLAIN[_APP0_BYTES:]


def named(names: bytes) -> bytes:
    """The components' names changed, in the frame's header and in the scan's."""
    data = bytearray(PLAIN)
    scan = PLAIN.index(b"\xff\xda")
    data[_FRAME + 10 : _FRAME + 17 : 3] = names
    data[scan + 5 : scan + 10 : 2] = names
    return bytes(data)


@pytest.mark.parametrize(
    ("data", "on_device"),
    [(PLAIN, True), (adobe(1), True), (adobe(0), False), (named(b"\1\2\3"), True), (named(b"RGB"), False)],
    ids=["jfif", "adobe ycc", "adobe rgb", "numbered", "named rgb"],
)
def test_a_jpeg_that_may_store_rgb_is_decoded_by_the_cpu(data: bytes, on_device: bool) -> None:
    assert simplejpeg.decode_jpeg(data).shape == (36, 48, 3)
    assert decodes_on_device(read_image_header(data), data) is on_device
