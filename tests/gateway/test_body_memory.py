"""Bodies of requests in work take a bounded amount of memory, over both protocols."""

import asyncio
import gzip
import json
import random
from collections.abc import AsyncIterator

import grpc
import grpc.aio
import httpx
import pytest

from gateway.body_budget import BodyBudget
from gateway.body_hold import BodyHold
from gateway.errors import MemoryFull
from gateway.oip import service_pb2, service_pb2_grpc
from gateway.settings import Settings
from tests.fakes.grpc_gateway import running_grpc_gateway
from tests.fakes.http_gateway import RAW_BUILD, HttpGateway, client_of, running_http_gateway, until
from tests.fakes.pictures import jpeg

PATH = f"/v2/models/{RAW_BUILD}/infer"
TIGHT = Settings(max_request_bytes=100_000, max_bodies_bytes=150_000, default_timeout_seconds=5)
SIZE = 90_000


def request(size: int) -> tuple[bytes, dict[str, str]]:
    """A body of a little more than ``size`` bytes, with its headers."""
    tensor = {"name": "X", "datatype": "UINT8", "shape": [size], "parameters": {"binary_data_size": size}}
    head = json.dumps({"inputs": [tensor], "outputs": [{"name": "none"}]}).encode()
    return head + bytes(size), {"Inference-Header-Content-Length": str(len(head))}


async def holding(gateway: HttpGateway, client: httpx.AsyncClient) -> asyncio.Task[httpx.Response]:
    """A request that Triton does not answer yet."""
    gateway.tensors.open.clear()
    body, headers = request(SIZE)
    task = asyncio.create_task(client.post(PATH, content=body, headers=headers))
    await until(lambda: len(gateway.tensors.requests) == 1)
    assert gateway.bodies.held_bytes == len(body)
    return task


async def chunks(body: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(body), 10_000):
        yield body[start : start + 10_000]


@pytest.mark.parametrize("chunked", [False, True])
async def test_what_does_not_fit_beside_the_requests_in_work_is_refused(chunked: bool) -> None:
    async with running_http_gateway(settings=TIGHT) as gateway, client_of(gateway) as client:
        first = await holding(gateway, client)
        body, headers = request(SIZE)
        answer = await client.post(PATH, content=chunks(body) if chunked else body, headers=headers)
        assert (answer.status_code, answer.headers["retry-after"]) == (429, "1")
        assert "the limit is 150000 (max_bodies_bytes); retry" in answer.json()["error"]
        assert gateway.count("outpost_rejections_total", reason="memory_full") == 1
        small, headers = request(1000)
        gateway.tensors.open.set()
        assert (await client.post(PATH, content=small, headers=headers)).status_code == 200
        assert (await first).status_code == 200
        assert gateway.bodies.held_bytes == 0


async def test_what_a_body_unpacks_to_counts() -> None:
    async with running_http_gateway(settings=TIGHT) as gateway, client_of(gateway) as client:
        first = await holding(gateway, client)
        body, headers = request(SIZE)
        packed = gzip.compress(body)
        assert len(packed) < 1000
        answer = await client.post(PATH, content=packed, headers=headers | {"Content-Encoding": "gzip"})
        assert answer.status_code == 429
        gateway.tensors.open.set()
        assert (await first).status_code == 200


async def test_a_body_that_hardly_packs_needs_no_room_for_both_forms() -> None:
    async with running_http_gateway(settings=TIGHT) as gateway, client_of(gateway) as client:
        tensor = {"name": "X", "datatype": "UINT8", "shape": [SIZE], "parameters": {"binary_data_size": SIZE}}
        head = json.dumps({"inputs": [tensor], "outputs": [{"name": "none"}]}).encode()
        packed = gzip.compress(head + random.Random(0).randbytes(SIZE))
        assert len(packed) + SIZE > 150_000
        headers = {"Inference-Header-Content-Length": str(len(head)), "Content-Encoding": "gzip"}
        assert (await client.post(PATH, content=packed, headers=headers)).status_code == 200
        assert gateway.bodies.held_bytes == 0


async def test_who_announces_much_and_sends_nothing_keeps_nobody_out() -> None:
    async with running_http_gateway(settings=TIGHT) as gateway, client_of(gateway) as client:
        silent = [await asyncio.open_connection("127.0.0.1", gateway.port) for _ in range(4)]
        for _, writer in silent:
            writer.write(f"POST {PATH} HTTP/1.1\r\nHost: x\r\nContent-Length: {SIZE}\r\n\r\nabc".encode())
        await until(lambda: gateway.bodies.held_bytes == 12)
        body, headers = request(SIZE)
        assert (await client.post(PATH, content=body, headers=headers)).status_code == 200
        for _, writer in silent:
            writer.close()
        await until(lambda: gateway.bodies.held_bytes == 0)


async def test_a_flood_of_uploads_is_bounded_and_some_get_through() -> None:
    async with running_http_gateway(settings=TIGHT) as gateway, client_of(gateway) as client:
        body, headers = request(SIZE)
        most = 0

        async def watched() -> AsyncIterator[bytes]:
            nonlocal most
            for start in range(0, len(body), 10_000):
                yield body[start : start + 10_000]
                await asyncio.sleep(0)
                most = max(most, gateway.bodies.held_bytes)

        answers = await asyncio.gather(*(client.post(PATH, content=watched(), headers=headers) for _ in range(12)))
        assert {answer.status_code for answer in answers} <= {200, 429}
        assert 200 in {answer.status_code for answer in answers}
        assert 0 < most <= 150_000
        assert gateway.bodies.held_bytes == 0


async def test_a_message_over_grpc_counts_too() -> None:
    async with running_grpc_gateway(max_bodies_bytes=500) as address, grpc.aio.insecure_channel(address) as channel:
        stub = service_pb2_grpc.GRPCInferenceServiceStub(channel)
        picture = jpeg()
        message = service_pb2.ModelInferRequest(model_name="defects")
        message.inputs.add(name="images", datatype="BYTES", shape=[1])
        message.raw_input_contents.append(len(picture).to_bytes(4, "little") + picture)
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await stub.ModelInfer(message)
        assert caught.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
        assert ("retry-after", "1") in tuple(caught.value.trailing_metadata() or ())
        assert "max_bodies_bytes" in (caught.value.details() or "")


def test_a_hold_gives_back_what_it_took() -> None:
    budget = BodyBudget(10)
    with BodyHold(budget) as hold:
        hold.grow(6)
        hold.require(4)
        with pytest.raises(MemoryFull):
            hold.grow(5)
        assert budget.held_bytes == 6
    assert budget.held_bytes == 0


@pytest.mark.parametrize(("given", "limit"), [(0, 400_000), (150_000, 150_000), (50_000, 100_000)])
def test_the_largest_request_always_fits(given: int, limit: int) -> None:
    assert Settings(max_request_bytes=100_000, max_bodies_bytes=given).bodies_limit_bytes == limit
