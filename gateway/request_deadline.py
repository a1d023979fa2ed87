"""The request parameter ``timeout`` of the protocol. Pure."""

from gateway.errors import BadRequest
from gateway.messages import Parameters

TIMEOUT_PARAMETER = "timeout"


def deadline_of(parameters: Parameters, received_at: float) -> float | None:
    """When the caller's time is over, in the seconds of ``received_at``; None where no time was given.

    Raises:
        BadRequest: ``timeout`` is not a number of microseconds; 0 means none, as for Triton.
    """
    value = parameters.get(TIMEOUT_PARAMETER)
    if value is None:
        return None
    if type(value) is not int or value < 0:
        raise BadRequest(f"parameters.{TIMEOUT_PARAMETER}", "microseconds, an integer from 0 on", repr(value)[:40])
    return received_at + value / 1e6 if value else None
