"""Which frames the GPU's JPEG decoder gets. Pure."""

from vision.image_header import ImageHeader

_END_OF_IMAGE = b"\xff\xd9"
_TAIL_BYTES = 64


def decodes_on_device(header: ImageHeader, data: bytes) -> bool:
    """Whether a frame is a whole 8-bit JPEG, grey or in colour, whose pixels come in one pass and are stored as YCbCr.

    All others are decoded by the CPU. So is a JPEG that may store red, green and blue, whose marks decoders read in
    different ways, and one without an end, which a sender who was cut off leaves: the CPU's decoder says what is wrong
    with it. Damage before the end, which the CPU's decoder finds, the GPU's may not notice.

    Args:
        header: What `vision.image_header.read_image_header` found.
        data: The frame.
    """
    if header.format != "jpeg" or header.progressive or header.bits != 8 or header.channels not in (1, 3):
        return False
    if header.stored_as_rgb:
        return False
    return data[-_TAIL_BYTES:].rstrip(b"\0").endswith(_END_OF_IMAGE)
