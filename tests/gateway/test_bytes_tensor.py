import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.bytes_tensor import join_elements, split_elements
from gateway.errors import BadRequest


@given(st.lists(st.binary(max_size=50), max_size=10))
def test_what_is_joined_can_be_split(elements: list[bytes]) -> None:
    assert [bytes(part) for part in split_elements("t", join_elements(elements), len(elements))] == elements


@pytest.mark.parametrize(
    ("data", "count", "message"),
    [
        (b"\x05\x00\x00\x00abc", 1, "data that end inside element 0"),
        (b"\x01\x00", 1, "data that end inside element 0"),
        (b"\x01\x00\x00\x00a", 2, "expected 2 elements as the shape says, got 1"),
        (b"", 1, "expected 1 elements as the shape says, got 0"),
        (b"\xff\xff\xff\xffab", 1, "data that end inside element 0"),
    ],
)
def test_malformed_data_are_named(data: bytes, count: int, message: str) -> None:
    with pytest.raises(BadRequest, match=message):
        split_elements("inputs.images", data, count)
