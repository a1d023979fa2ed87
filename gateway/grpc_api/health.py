"""The standard health service, ``grpc.health.v1.Health/Check``, which load balancers and orchestrators ask.

Its answer is one enum field, so that the two possible messages are written out (grpc/health/v1/health.proto).
"""

from collections.abc import Callable

import grpc
import grpc.aio
from grpc.aio import ServicerContext

_SERVING = b"\x08\x01"
_NOT_SERVING = b"\x08\x02"


def health_handler(is_ready: Callable[[], bool]) -> grpc.GenericRpcHandler:
    """The handler of the service; the service name in the question does not matter."""

    async def check(_request: bytes, _context: ServicerContext) -> bytes:
        return _SERVING if is_ready() else _NOT_SERVING

    return grpc.method_handlers_generic_handler(
        "grpc.health.v1.Health", {"Check": grpc.unary_unary_rpc_method_handler(check)}
    )
