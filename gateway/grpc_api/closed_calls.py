"""The calls of Triton's protocol that a gateway does not offer to its clients, each with what to do instead."""

from typing import Any, NoReturn

from grpc.aio import ServicerContext

from gateway.errors import NotSupported
from gateway.grpc_api.status import grpc_status_of
from gateway.oip import service_pb2, service_pb2_grpc

USE_ACTIVE_JSON = "which builds are loaded is decided by active.json in the state folder"
SEND_DATA = "send the data in the request; the gateway itself uses shared memory towards Triton"
ASK_TRITON = "ask Triton itself, on its own port"


class ClosedCalls(service_pb2_grpc.GRPCInferenceServiceServicer):  # type: ignore[misc]  # generated without types
    """Answers UNIMPLEMENTED with a sentence; the lists of regions are empty."""

    async def RepositoryModelLoad(self, _request: Any, context: ServicerContext) -> NoReturn:  # noqa: N802
        """Refused."""
        await _refuse(context, "loading models", USE_ACTIVE_JSON)

    async def RepositoryModelUnload(self, _request: Any, context: ServicerContext) -> NoReturn:  # noqa: N802
        """Refused."""
        await _refuse(context, "unloading models", USE_ACTIVE_JSON)

    async def SystemSharedMemoryStatus(self, _request: Any, _context: ServicerContext) -> Any:  # noqa: N802
        """No client has a region."""
        return service_pb2.SystemSharedMemoryStatusResponse()

    async def SystemSharedMemoryRegister(self, _request: Any, context: ServicerContext) -> NoReturn:  # noqa: N802
        """Refused."""
        await _refuse(context, "system shared memory of clients", SEND_DATA)

    async def SystemSharedMemoryUnregister(self, _request: Any, _context: ServicerContext) -> Any:  # noqa: N802
        """Nothing to unregister: clients call it before they register."""
        return service_pb2.SystemSharedMemoryUnregisterResponse()

    async def CudaSharedMemoryStatus(self, _request: Any, _context: ServicerContext) -> Any:  # noqa: N802
        """No client has a region."""
        return service_pb2.CudaSharedMemoryStatusResponse()

    async def CudaSharedMemoryRegister(self, _request: Any, context: ServicerContext) -> NoReturn:  # noqa: N802
        """Refused."""
        await _refuse(context, "CUDA shared memory of clients", SEND_DATA)

    async def CudaSharedMemoryUnregister(self, _request: Any, _context: ServicerContext) -> Any:  # noqa: N802
        """Nothing to unregister."""
        return service_pb2.CudaSharedMemoryUnregisterResponse()

    async def TraceSetting(self, _request: Any, context: ServicerContext) -> NoReturn:  # noqa: N802
        """Refused."""
        await _refuse(context, "changing traces", ASK_TRITON)

    async def LogSettings(self, _request: Any, context: ServicerContext) -> NoReturn:  # noqa: N802
        """Refused."""
        await _refuse(context, "changing Triton's log", ASK_TRITON)


async def _refuse(context: ServicerContext, feature: str, instead: str) -> NoReturn:
    error = NotSupported(feature, instead)
    await context.abort(grpc_status_of(error), str(error))
    raise error
