from typing import Any

import pytest
from pydantic import ValidationError

from contracts.drift_reference import BinnedCounts


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"low": 1.0}, "low must be below high, got 1.0 and 1.0"),
        ({"counts": (3, -1)}, "counts must not be negative, got -1"),
        ({"counts": ()}, "at least 1 item"),
    ],
)
def test_counts_are_a_histogram(change: dict[str, Any], problem: str) -> None:
    with pytest.raises(ValidationError, match=problem):
        BinnedCounts.model_validate({"low": 0.0, "high": 1.0, "counts": (1, 2)} | change)


def test_total() -> None:
    assert BinnedCounts(low=0.0, high=1.0, counts=(1, 2, 4)).total == 7
