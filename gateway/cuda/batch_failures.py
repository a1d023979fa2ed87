"""When a GPU that fails is given up, and what is told to whom."""

from collections.abc import Callable

from gateway.errors import DeviceLost

_MOST_BATCHES = 8
_MOST_SECONDS = 5.0


class BatchFailures:
    """Batches that failed one after the other, for whatever reason: the GPU may be lost without the driver saying so.

    Args:
        clock: Monotonic seconds.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._count = 0
        self._since = 0.0

    def judge(self, error: BaseException | None) -> BaseException | None:
        """What a batch's frames are told.

        Args:
            error: Why it failed; None where it did not.

        Returns:
            The error; ``DeviceLost`` from the eighth failure in a row on, once they go on for five seconds.
        """
        if error is None:
            self._count = 0
            return None
        if not self._count:
            self._since = self._clock()
        self._count += 1
        lasted = self._clock() - self._since
        if isinstance(error, DeviceLost) or self._count < _MOST_BATCHES or lasted < _MOST_SECONDS:
            return error
        return DeviceLost(f"{self._count} batches in a row failed in {lasted:.0f} s, the last one so: {error}")


def own_error(error: BaseException) -> BaseException:
    """A copy for one frame: without the traceback, which each of those who raise it would lengthen."""
    copied = type(error).__new__(type(error), *error.args)
    copied.__dict__.update(error.__dict__)
    return copied
