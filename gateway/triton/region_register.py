"""The regions of shared memory that Triton knows, whoever registered them."""

import logging

from gateway.errors import TritonRejected
from gateway.oip import service_pb2
from gateway.triton.connection import TritonConnection, triton_errors

_LOG = logging.getLogger(__name__)
_ASK_SECONDS = 5.0


class RegionRegister:
    """Triton keeps a region mapped until it is unregistered, also when who registered it was killed.

    Args:
        connection: Channel to Triton.
    """

    def __init__(self, connection: TritonConnection) -> None:
        self._connection = connection

    async def names(self) -> tuple[str, ...]:
        """What is registered; nothing where Triton does not allow shared memory.

        Raises:
            TritonUnavailable, DeadlineExceeded: Nobody answered.
        """
        try:
            with triton_errors(""):
                answer = await self._connection.stub.SystemSharedMemoryStatus(
                    service_pb2.SystemSharedMemoryStatusRequest(), timeout=_ASK_SECONDS
                )
        except TritonRejected:
            return ()
        return tuple(sorted(answer.regions))

    async def forget(self, prefix: str) -> tuple[str, ...]:
        """Unregister what an ended process left; returns the names. One that is still in use stays, and is logged.

        Args:
            prefix: Beginning of the names; nobody who lives may have such a region.

        Raises:
            TritonUnavailable, DeadlineExceeded: Nobody answered.
        """
        stale = [name for name in await self.names() if name.startswith(prefix)]
        forgotten = [name for name in stale if await self._unregister(name)]
        if forgotten:
            _LOG.info("Triton forgot the shared memory of an ended process", extra={"regions": len(forgotten)})
        return tuple(forgotten)

    async def _unregister(self, name: str) -> bool:
        request = service_pb2.SystemSharedMemoryUnregisterRequest(name=name)
        try:
            with triton_errors(name):
                await self._connection.stub.SystemSharedMemoryUnregister(request, timeout=_ASK_SECONDS)
        except TritonRejected as error:
            _LOG.warning("Triton keeps an old region", extra={"region": name, "reason": str(error)})
            return False
        return True
