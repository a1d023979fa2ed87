"""Content codings of HTTP."""

import gzip
import zlib

import pytest

from gateway.errors import BadRequest, NotSupported, PayloadTooLarge
from gateway.http_api.content_coding import choose_coding, compress, decompress


@pytest.mark.parametrize(
    ("accepted", "coding"),
    [
        ("", None),
        ("identity", None),
        ("br", None),
        ("gzip", "gzip"),
        ("deflate", "deflate"),
        ("GZIP, deflate, br", "gzip"),
        ("gzip;q=0, deflate", "deflate"),
        ("gzip;q=0.2, deflate;q=0.8", "deflate"),
        ("gzip; q = 0.5", "gzip"),
        ("gzip;q=x", None),
        ("*", None),
    ],
)
def test_choice(accepted: str, coding: str | None) -> None:
    assert choose_coding(accepted) == coding


@pytest.mark.parametrize("coding", ["gzip", "deflate"])
def test_there_and_back(coding: str) -> None:
    body = bytes(range(256)) * 20
    packed = compress(body, coding)
    assert len(packed) < len(body)
    assert (gzip.decompress(packed) if coding == "gzip" else zlib.decompress(packed)) == body
    assert decompress(packed, f" {coding.upper()} ", len(body)) == body


@pytest.mark.parametrize("coding", ["", "identity", "Identity"])
def test_no_coding(coding: str) -> None:
    assert decompress(b"abc", coding, 3) == b"abc"


def test_the_limit_is_exact() -> None:
    packed = gzip.compress(bytes(1000))
    assert decompress(packed, "gzip", 1000) == bytes(1000)
    with pytest.raises(PayloadTooLarge):
        decompress(packed, "gzip", 999)


@pytest.mark.parametrize("body", [b"", b"\x1f\x8b", gzip.compress(b"abc")[:-1], gzip.compress(b"abc") + b"\x00"])
def test_damage(body: bytes) -> None:
    with pytest.raises(BadRequest, match="gzip"):
        decompress(body, "gzip", 1000)


def test_other_codings() -> None:
    with pytest.raises(NotSupported, match="use gzip or deflate"):
        decompress(b"", "zstd", 1000)
