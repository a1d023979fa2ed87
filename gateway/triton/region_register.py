"""The regions of shared memory that Triton knows, whoever registered them."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable
from itertools import chain, repeat

from google.protobuf.message import Message

from gateway.errors import GatewayError, TritonRejected
from gateway.oip import service_pb2
from gateway.triton.connection import TritonConnection, triton_errors

_LOG = logging.getLogger(__name__)
_ASK_SECONDS = 5.0
_PAUSES_SECONDS = (0.5, 2.0, 5.0, 30.0)


class RegionRegister:
    """Triton keeps a region mapped until it is unregistered, also when who registered it was killed.

    Args:
        connection: Channel to Triton.
        pauses_seconds: Between questions about a region that is in use; the last one again and again.
    """

    def __init__(self, connection: TritonConnection, *, pauses_seconds: tuple[float, ...] = _PAUSES_SECONDS) -> None:
        self._connection = connection
        self._pauses_seconds = pauses_seconds
        self._in_use: set[str] = set()
        self._asking: asyncio.Task[None] | None = None

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
        """Unregister what an ended process left; returns the names.

        One that a model still works on is logged, and Triton is asked again until it has let it go.

        Args:
            prefix: Beginning of the names; nobody who lives may have such a region.

        Raises:
            TritonUnavailable, DeadlineExceeded: Nobody answered.
        """
        old = [name for name in await self.names() if name.startswith(prefix)]
        forgotten = await self._forget(old)
        self._in_use.update(set(old) - set(forgotten))
        if self._in_use and (self._asking is None or self._asking.done()):
            self._asking = asyncio.create_task(self._ask_again())
        return forgotten

    async def _ask_again(self) -> None:
        for seconds in chain(self._pauses_seconds, repeat(self._pauses_seconds[-1])):
            await asyncio.sleep(seconds)
            try:
                known = await self.names()
                self._in_use.intersection_update(known)
                self._in_use.difference_update(await self._forget(sorted(self._in_use)))
            except GatewayError as error:
                _LOG.warning("Triton is not heard about old regions", extra={"reason": str(error)})
            if not self._in_use:
                return

    async def _forget(self, names: Iterable[str]) -> tuple[str, ...]:
        stub, forgotten = self._connection.stub, []
        on_gpus = await self._of_gpus()
        for name in names:
            if name in on_gpus:
                gone = await self._is_done(
                    name, stub.CudaSharedMemoryUnregister, service_pb2.CudaSharedMemoryUnregisterRequest(name=name)
                )
            else:
                gone = await self._is_done(
                    name, stub.SystemSharedMemoryUnregister, service_pb2.SystemSharedMemoryUnregisterRequest(name=name)
                )
            if gone:
                forgotten.append(name)
        if forgotten:
            _LOG.info("Triton forgot the shared memory of an ended process", extra={"regions": len(forgotten)})
        return tuple(forgotten)

    async def _is_done(self, name: str, unregister: Callable[..., Awaitable[object]], request: Message) -> bool:
        try:
            with triton_errors(name):
                await unregister(request, timeout=_ASK_SECONDS)
        except TritonRejected as error:
            _LOG.warning("Triton keeps an old region", extra={"region": name, "reason": str(error)})
            return False
        return True

    async def close(self) -> None:
        """Ask no more."""
        if self._asking is not None:
            self._asking.cancel()
            await asyncio.gather(self._asking, return_exceptions=True)
