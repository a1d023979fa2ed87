"""The sizes of the tests, as the variable names them."""

import pytest

from tests.system.sizes import FULL, SHORT, VARIABLE, Sizes, sizes_of


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", SHORT),
        ("short", SHORT),
        ("full", FULL),
        ("requests=20,seed=7", Sizes(requests=20, seed=7)),
        ("full,fuzz_seconds=5", Sizes(100_000, 5, 30, 20, fuzz_seconds=5)),
    ],
)
def test_sizes_are_named_and_changed(text: str, expected: Sizes) -> None:
    assert sizes_of({VARIABLE: text}) == expected


def test_without_the_variable_they_are_short() -> None:
    assert sizes_of({}) == SHORT
    assert 2 * (SHORT.server_kills + SHORT.watcher_kills) == 10


@pytest.mark.parametrize("text", ["long", "full=1", "requests", "requests=0", "requests=-5", "requests=x", "kills=3"])
def test_what_is_not_understood_is_said(text: str) -> None:
    with pytest.raises(ValueError, match=rf"{VARIABLE}={text}: .*write short, full, or a number.*watcher_kills"):
        sizes_of({VARIABLE: text})
