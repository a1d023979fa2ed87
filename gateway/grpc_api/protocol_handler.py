"""The calls of the protocol, read so that bytes that are no message are the caller's error.

gRPC itself answers them with UNKNOWN and writes a traceback into the log for each, which any caller could fill it with.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import grpc
from google.protobuf.message import DecodeError
from google.protobuf.message_factory import GetMessageClass
from grpc.aio import ServicerContext

from gateway.errors import BadRequest
from gateway.oip import service_pb2

Refuse = Callable[[BadRequest, ServicerContext], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class _Unreadable:
    error: BadRequest


def protocol_handler(servicer: Any, refuse: Refuse) -> grpc.GenericRpcHandler:
    """The handler of ``inference.GRPCInferenceService``.

    Args:
        servicer: Has a method for each call.
        refuse: Ends a call whose message cannot be read; raises.
    """
    service = service_pb2.DESCRIPTOR.services_by_name["GRPCInferenceService"]
    handlers = {}
    for method in service.methods:
        answer = getattr(servicer, method.name)
        streams = method.client_streaming
        make = grpc.stream_stream_rpc_method_handler if streams else grpc.unary_unary_rpc_method_handler
        handlers[method.name] = make(
            _streaming(answer, refuse) if streams else _single(answer, refuse),
            request_deserializer=_reader(GetMessageClass(method.input_type)),
            response_serializer=GetMessageClass(method.output_type).SerializeToString,
        )
    return grpc.method_handlers_generic_handler(service.full_name, handlers)


def _reader(message: Any) -> Callable[[bytes], Any]:
    def read(data: bytes) -> Any:
        try:
            return message.FromString(data)
        except DecodeError as error:
            expected = f"a {message.DESCRIPTOR.full_name}"
            return _Unreadable(BadRequest("message", expected, f"{len(data)} bytes that are none ({error})"))

    return read


def _single(answer: Callable[[Any, ServicerContext], Awaitable[Any]], refuse: Refuse) -> Any:
    async def call(request: Any, context: ServicerContext) -> Any:
        if isinstance(request, _Unreadable):
            await refuse(request.error, context)
        return await answer(request, context)

    return call


def _streaming(answer: Callable[[AsyncIterator[Any], ServicerContext], AsyncIterator[Any]], refuse: Refuse) -> Any:
    async def readable(requests: AsyncIterator[Any], context: ServicerContext) -> AsyncIterator[Any]:
        async for request in requests:
            if isinstance(request, _Unreadable):
                await refuse(request.error, context)
            yield request

    async def call(requests: AsyncIterator[Any], context: ServicerContext) -> AsyncIterator[Any]:
        async for response in answer(readable(requests, context), context):
            yield response

    return call
