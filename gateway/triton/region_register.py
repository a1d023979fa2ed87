"""The regions of shared memory that Triton knows, whoever registered them."""

import logging
from collections.abc import Awaitable, Callable

from google.protobuf.message import Message

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
        return tuple(sorted({*await self._of_the_machine(), *await self._of_gpus()}))

    async def _of_the_machine(self) -> tuple[str, ...]:
        try:
            with triton_errors(""):
                answer = await self._connection.stub.SystemSharedMemoryStatus(
                    service_pb2.SystemSharedMemoryStatusRequest(), timeout=_ASK_SECONDS
                )
        except TritonRejected:
            return ()
        return tuple(answer.regions)

    async def _of_gpus(self) -> tuple[str, ...]:
        try:
            with triton_errors(""):
                answer = await self._connection.stub.CudaSharedMemoryStatus(
                    service_pb2.CudaSharedMemoryStatusRequest(), timeout=_ASK_SECONDS
                )
        except TritonRejected:
            return ()
        return tuple(answer.regions)

    async def forget(self, prefix: str) -> tuple[str, ...]:
        """Unregister what an ended process left; returns the names. One that is still in use stays, and is logged.

        Args:
            prefix: Beginning of the names; nobody who lives may have such a region.

        Raises:
            TritonUnavailable, DeadlineExceeded: Nobody answered.
        """
        stub = self._connection.stub
        forgotten = []
        for name in await self._of_the_machine():
            request = service_pb2.SystemSharedMemoryUnregisterRequest(name=name)
            if name.startswith(prefix) and await self._is_done(name, stub.SystemSharedMemoryUnregister, request):
                forgotten.append(name)
        for name in await self._of_gpus():
            on_gpu = service_pb2.CudaSharedMemoryUnregisterRequest(name=name)
            if name.startswith(prefix) and await self._is_done(name, stub.CudaSharedMemoryUnregister, on_gpu):
                forgotten.append(name)
        if forgotten:
            _LOG.info("Triton forgot the shared memory of an ended process", extra={"regions": len(forgotten)})
        return tuple(sorted(forgotten))

    async def _is_done(self, name: str, unregister: Callable[..., Awaitable[object]], request: Message) -> bool:
        try:
            with triton_errors(name):
                await unregister(request, timeout=_ASK_SECONDS)
        except TritonRejected as error:
            _LOG.warning("Triton keeps an old region", extra={"region": name, "reason": str(error)})
            return False
        return True
