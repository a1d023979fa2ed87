"""Names on a profiler's time line."""

from importlib.util import find_spec

import pytest

from gateway.cuda.profiler_ranges import profiler_ranges, unseen_range


def test_a_range_is_a_block_with_or_without_the_package() -> None:
    assert (profiler_ranges() is unseen_range) == (find_spec("nvtx") is None)
    for named in (profiler_ranges(), unseen_range):
        with pytest.raises(KeyError), named("decode"):
            raise KeyError
