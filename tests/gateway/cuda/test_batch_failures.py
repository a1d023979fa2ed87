"""A GPU that only fails is given up, whatever it says."""

import pytest

from gateway.cuda.batch_failures import BatchFailures, own_error
from gateway.errors import DeviceLost, DeviceMemoryFull, DeviceRefused

REFUSED = DeviceRefused("prepare frames", "CUDA_ERROR_INVALID_VALUE")


class Clock:
    seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


def test_eight_in_a_row_within_five_seconds_and_more_are_a_lost_gpu() -> None:
    clock = Clock()
    failures = BatchFailures(clock)
    for _ in range(7):
        assert failures.judge(REFUSED) is REFUSED
    clock.seconds = 6.0
    lost = failures.judge(DeviceMemoryFull(10, 5))
    assert isinstance(lost, DeviceLost)
    assert lost.reason.startswith("8 batches in a row failed in 6 s, the last one so: ")


def test_a_burst_of_failures_is_none_yet() -> None:
    clock = Clock()
    failures = BatchFailures(clock)
    assert all(failures.judge(REFUSED) is REFUSED for _ in range(100))


def test_a_batch_that_succeeds_begins_the_count_anew() -> None:
    clock = Clock()
    failures = BatchFailures(clock)
    for _ in range(7):
        failures.judge(REFUSED)
    clock.seconds = 60.0
    assert failures.judge(None) is None
    assert failures.judge(REFUSED) is REFUSED


def test_what_the_driver_calls_lost_is_told_as_it_says() -> None:
    lost = DeviceLost("CUDA_ERROR_ECC_UNCORRECTABLE")
    assert BatchFailures(Clock()).judge(lost) is lost


def test_a_frames_own_error_has_the_facts_and_no_traceback() -> None:
    with pytest.raises(DeviceMemoryFull) as caught:
        raise DeviceMemoryFull(10, 5)
    copied = own_error(caught.value)
    assert isinstance(copied, DeviceMemoryFull)
    assert (copied.needed_bytes, copied.free_bytes, copied.__traceback__) == (10, 5, None)
    assert str(copied) == str(DeviceMemoryFull(10, 5))
