"""BYTES tensors: each element is its length (4 bytes, little-endian) and its bytes (Triton's binary data extension)."""

import struct
from collections.abc import Iterable

from gateway.errors import BadRequest

_LENGTH = struct.Struct("<I")


def split_elements(name: str, data: bytes | memoryview, count: int) -> tuple[memoryview, ...]:
    """The elements of a tensor, without a copy.

    Args:
        name: The tensor's name, for the error.
        data: Serialised elements.
        count: Number of elements that the shape promises.

    Raises:
        BadRequest: The data end early, go on too long or hold another number of elements.
    """
    view = memoryview(data)
    elements: list[memoryview] = []
    position = 0
    while position < len(view):
        end = position + _LENGTH.size
        if end <= len(view):
            end += _LENGTH.unpack_from(view, position)[0]
        if end > len(view):
            raise BadRequest(name, "length-prefixed elements", f"data that end inside element {len(elements)}")
        elements.append(view[position + _LENGTH.size : end])
        position = end
    if len(elements) != count:
        raise BadRequest(name, f"{count} elements as the shape says", f"{len(elements)}")
    return tuple(elements)


def join_elements(elements: Iterable[bytes | memoryview]) -> bytes:
    """Serialise elements."""
    return b"".join(part for element in elements for part in (_LENGTH.pack(len(element)), element))
