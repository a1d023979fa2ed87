"""HTTP content codings: gzip and deflate, the two that Triton has. Pure."""

import zlib
from functools import lru_cache

from gateway.errors import BadRequest, NotSupported, PayloadTooLarge

_ZLIB_WBITS = {"gzip": 31, "deflate": 15}  # "deflate" is the zlib format: RFC 9110 section 8.4.1.2
_FASTEST = 1
MIN_COMPRESSED_BYTES = 1024
"""Smaller answers are not worth compressing."""


def decompress(body: bytes, coding: str, limit_bytes: int) -> bytes:
    """Undo the coding of a request body.

    Args:
        body: As it came.
        coding: Value of ``Content-Encoding``, or empty.
        limit_bytes: Largest result; no more than this is ever held.

    Raises:
        NotSupported: Another coding, or several.
        PayloadTooLarge: The result would be larger than the limit.
        BadRequest: The body is damaged or cut short.
    """
    name = coding.strip().lower()
    if name in ("", "identity"):
        return body
    if name not in _ZLIB_WBITS:
        raise NotSupported(f"Content-Encoding '{name[:40]}'", "use gzip or deflate, or send the body as it is")
    decompressor = zlib.decompressobj(_ZLIB_WBITS[name])
    try:
        result = decompressor.decompress(body, limit_bytes + 1)
    except zlib.error as error:
        raise BadRequest("body", f"{name} data as Content-Encoding says", str(error)) from error
    if len(result) > limit_bytes:
        raise PayloadTooLarge(len(result), limit_bytes)
    if not decompressor.eof or decompressor.unused_data:
        extra = "data behind their end" if decompressor.eof else "data that end early"
        raise BadRequest("body", f"one complete stream of {name} data", extra)
    return result


def compress(body: bytes, coding: str) -> bytes:
    """Apply a coding of ``choose_coding``."""
    compressor = zlib.compressobj(_FASTEST, zlib.DEFLATED, _ZLIB_WBITS[coding])
    return compressor.compress(body) + compressor.flush()


@lru_cache(maxsize=64)
def choose_coding(accept_encoding: str) -> str | None:
    """The coding for an answer that a client's ``Accept-Encoding`` asks for, or None."""
    accepted: dict[str, float] = {}
    for item in accept_encoding.lower().split(","):
        name, _, parameter = item.partition(";")
        accepted[name.strip()] = _quality(parameter)
    usable = {name: accepted[name] for name in _ZLIB_WBITS if accepted.get(name, 0.0) > 0.0}
    return max(usable, key=lambda name: usable[name]) if usable else None


def _quality(parameter: str) -> float:
    name, _, value = parameter.partition("=")
    if name.strip() != "q":
        return 1.0
    try:
        return float(value)
    except ValueError:
        return 0.0
