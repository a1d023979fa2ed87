"""The HTTP side under load and at its end: full queue, deadlines, clients that go away, the stop."""

import asyncio
import json
import socket

import pytest

from gateway.settings import Settings
from tests.fakes.http_gateway import INFER, RAW, client_of, running_http_gateway, until
from tests.fakes.pictures import jpeg


async def test_a_full_queue_answers_429_at_once() -> None:
    async with running_http_gateway(max_in_flight=1, max_queue=1) as gateway, client_of(gateway) as client:
        gateway.backend.open.clear()
        waiting = [asyncio.create_task(client.post(INFER, content=jpeg(), headers=RAW)) for _ in range(2)]
        await until(lambda: gateway.admission.waiting == 1)
        answer = await client.post(INFER, content=jpeg(), headers=RAW)
        assert answer.status_code == 429
        assert answer.headers["retry-after"] == "1"
        assert gateway.count("outpost_rejections_total", reason="queue_full") == 1
        gateway.backend.open.set()
        assert [(await task).status_code for task in waiting] == [200, 200]


async def test_a_deadline_in_the_queue_answers_504() -> None:
    async with running_http_gateway(max_in_flight=1) as gateway, client_of(gateway) as client:
        gateway.backend.open.clear()
        first = asyncio.create_task(client.post(INFER, content=jpeg(), headers=RAW))
        await until(lambda: gateway.backend.entered == 1)
        head = json.dumps(
            {
                "parameters": {"timeout": 50_000},
                "inputs": [
                    {"name": "images", "shape": [1], "datatype": "BYTES", "parameters": {"binary_data_size": 7}}
                ],
            }
        ).encode()
        answer = await client.post(
            INFER,
            content=head + b"\x03\x00\x00\x00abc",
            headers={"Inference-Header-Content-Length": str(len(head))},
        )
        assert (answer.status_code, answer.json()) == (504, {"error": "deadline exceeded during queue"})
        gateway.backend.open.set()
        assert (await first).status_code == 200


@pytest.mark.parametrize("path", [INFER, "/v1/models/defects/detect"])
async def test_the_place_of_a_client_that_goes_away_is_free_when_triton_is_done(path: str) -> None:
    async with running_http_gateway(max_in_flight=1, max_queue=4) as gateway:
        gateway.backend.open.clear()
        head = f"POST {path} HTTP/1.1\r\nHost: x\r\nInference-Header-Content-Length: 0\r\n".encode()
        picture = jpeg()
        _, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
        writer.write(head + f"Content-Length: {len(picture)}\r\n\r\n".encode() + picture)
        await until(lambda: gateway.backend.entered == 1)
        writer.close()
        await until(
            lambda: gateway.count("outpost_requests_total", model="defects", build="", protocol="http", code="499") == 1
        )
        assert (gateway.admission.in_flight, gateway.backend.cancelled) == (1, 0)  # Triton goes on with it
        gateway.backend.open.set()
        await until(lambda: gateway.admission.in_flight == 0)
        async with client_of(gateway) as client:
            assert (await client.post(path, content=picture, headers=RAW)).status_code == 200


async def test_a_client_that_goes_away_in_the_queue_leaves_it() -> None:
    async with running_http_gateway(max_in_flight=1, max_queue=4) as gateway, client_of(gateway) as client:
        gateway.backend.open.clear()
        first = asyncio.create_task(client.post(INFER, content=jpeg(), headers=RAW))
        await until(lambda: gateway.backend.entered == 1)
        second = asyncio.create_task(client.post(INFER, content=jpeg(), headers=RAW))
        await until(lambda: gateway.admission.waiting == 1)
        second.cancel()
        await until(lambda: gateway.admission.waiting == 0)
        gateway.backend.open.set()
        assert (await first).status_code == 200


async def test_a_client_that_goes_away_while_it_sends() -> None:
    async with running_http_gateway() as gateway:
        _, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
        writer.write(b"POST /v2/models/defects/infer HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nabc")
        await writer.drain()
        writer.close()
        await until(
            lambda: gateway.count("outpost_requests_total", model="defects", build="", protocol="http", code="499") == 1
        )
        assert gateway.backend.entered == 0


async def test_requests_behind_each_other_on_one_connection() -> None:
    picture = jpeg()
    one = (
        b"POST /v2/models/defects/infer HTTP/1.1\r\nHost: x\r\nInference-Header-Content-Length: 0\r\n"
        + f"Content-Length: {len(picture)}\r\n\r\n".encode()
        + picture
    )
    async with running_http_gateway() as gateway:
        reader, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
        writer.write(one * 3 + b"GET /v2/health/live HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        answer = await asyncio.wait_for(reader.read(), 20)
        assert answer.count(b"HTTP/1.1 200 OK") == 4
        writer.close()


# ---- the stop


async def test_the_stop_lets_requests_finish() -> None:
    async with running_http_gateway() as gateway, client_of(gateway) as client:
        gateway.backend.open.clear()
        request = asyncio.create_task(client.post(INFER, content=jpeg(), headers=RAW))
        await until(lambda: gateway.backend.entered == 1)
        stop = asyncio.create_task(gateway.server.stop())
        await until(lambda: not _accepts(gateway.port))
        gateway.backend.open.set()
        assert (await request).status_code == 200
        await stop


async def test_the_stop_cuts_off_what_does_not_finish() -> None:
    settings = Settings(drain_seconds=0.5)
    async with running_http_gateway(settings=settings) as gateway, client_of(gateway) as client:
        gateway.backend.open.clear()
        request = asyncio.create_task(client.post(INFER, content=jpeg(), headers=RAW))
        await until(lambda: gateway.backend.entered == 1)
        await gateway.server.stop()
        answer = await request
        assert (answer.status_code, answer.json()) == (503, {"error": "the gateway is stopping; ask again"})
        gateway.backend.open.set()
        await until(lambda: gateway.admission.in_flight == 0)


def _accepts(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0
