"""Bytes that are no message of the protocol, over a real channel."""

import logging
from collections.abc import AsyncIterator

import grpc
import grpc.aio
import pytest

from gateway.oip import service_pb2
from tests.fakes.grpc_gateway import running_grpc_gateway

NO_MESSAGE = b"\x0a\xff"  # a field of 255 bytes, of which none comes
PATH = "/inference.GRPCInferenceService/{}"
UNARY = [
    method.name
    for method in service_pb2.DESCRIPTOR.services_by_name["GRPCInferenceService"].methods
    if not method.client_streaming
]


@pytest.mark.parametrize("method", UNARY)
async def test_every_call_names_the_message_that_it_expects(method: str, caplog: pytest.LogCaptureFixture) -> None:
    async with running_grpc_gateway() as address, grpc.aio.insecure_channel(address) as channel:
        with caplog.at_level(logging.WARNING), pytest.raises(grpc.aio.AioRpcError) as refused:
            await channel.unary_unary(PATH.format(method))(NO_MESSAGE)
    assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert f"message: expected a inference.{method}Request, got 2 bytes that are none" in (
        refused.value.details() or ""
    )
    assert [record for record in caplog.records if record.exc_info] == []


async def test_a_stream_ends_at_the_message_that_cannot_be_read() -> None:
    async def messages() -> AsyncIterator[bytes]:
        yield service_pb2.ModelInferRequest(model_name="nobody", id="1").SerializeToString()
        yield NO_MESSAGE

    async with running_grpc_gateway() as address, grpc.aio.insecure_channel(address) as channel:
        call = channel.stream_stream(PATH.format("ModelStreamInfer"))(messages())
        answer = service_pb2.ModelStreamInferResponse.FromString(await call.read())
        assert answer.infer_response.id == "1"
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await call.read()
    assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT


async def test_the_server_goes_on() -> None:
    async with running_grpc_gateway() as address, grpc.aio.insecure_channel(address) as channel:
        with pytest.raises(grpc.aio.AioRpcError):
            await channel.unary_unary(PATH.format("ServerLive"))(NO_MESSAGE)
        live = await channel.unary_unary(PATH.format("ServerLive"))(b"")
    assert service_pb2.ServerLiveResponse.FromString(live).live
