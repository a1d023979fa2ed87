import grpc
import pytest

from gateway import errors
from gateway.grpc_api.status import grpc_status_of


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (errors.DeviceMemoryFull(2, 1), grpc.StatusCode.UNAVAILABLE),
        (errors.DeviceLost("r"), grpc.StatusCode.UNAVAILABLE),
        (errors.DeviceRefused("d", "r"), grpc.StatusCode.INTERNAL),
        (errors.InstanceLost("b", "r"), grpc.StatusCode.UNAVAILABLE),
        (errors.TritonRejected(errors.TritonCode.NOT_FOUND, "m"), grpc.StatusCode.NOT_FOUND),
    ],
)
def test_every_error_has_its_status(error: errors.GatewayError, status: grpc.StatusCode) -> None:
    assert grpc_status_of(error) == status
