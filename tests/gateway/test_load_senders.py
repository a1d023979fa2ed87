"""The load generator's senders against real servers on the loopback."""

import asyncio
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import grpc
import grpc.aio
import pytest

from gateway.load.frame_sender import OK, SendOutcome
from gateway.load.grpc_frame_sender import GrpcFrameSender, frame_request
from gateway.load.http_frame_sender import HttpFrameSender, infer_request, post_request, stages_of
from gateway.oip import service_pb2, service_pb2_grpc

STAGES = "queue=1,decode=2"
FRAME = b"\xff\xd8not really a picture"


class EchoServicer(service_pb2_grpc.GRPCInferenceServiceServicer):  # type: ignore[misc]
    """Answers with stages, or refuses the model ``full``."""

    def __init__(self) -> None:
        self.frames: list[bytes] = []
        self.peers: set[str] = set()

    async def ModelInfer(  # noqa: N802
        self, request: service_pb2.ModelInferRequest, context: grpc.aio.ServicerContext
    ) -> service_pb2.ModelInferResponse:
        self.peers.add(context.peer())
        if request.model_name == "full":
            await context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, "queue full")
        (element,) = request.raw_input_contents
        assert struct.unpack_from("<I", element)[0] == len(element) - 4
        self.frames.append(element[4:])
        response = service_pb2.ModelInferResponse(model_name=request.model_name)
        response.parameters["outpost_stage_us"].string_param = STAGES
        return response


@asynccontextmanager
async def grpc_server(servicer: EchoServicer) -> AsyncIterator[str]:
    server = grpc.aio.server()
    service_pb2_grpc.add_GRPCInferenceServiceServicer_to_server(servicer, server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        yield f"127.0.0.1:{port}"
    finally:
        await server.stop(None)


async def test_grpc_frames_arrive_and_stages_come_back() -> None:
    servicer = EchoServicer()
    async with grpc_server(servicer) as address:
        requests = [frame_request("defects", FRAME), frame_request("defects", b"second")]
        sender = GrpcFrameSender(address, requests, connections=2, timeout_seconds=10.0)
        outcomes = [await sender.send(client, client) for client in range(4)]
        await sender.close()

    assert outcomes == [SendOutcome(OK, STAGES)] * 4
    assert servicer.frames == [FRAME, b"second"] * 2
    assert len(servicer.peers) == 2


async def test_grpc_refusals_and_absence_are_outcomes() -> None:
    async with grpc_server(EchoServicer()) as address:
        sender = GrpcFrameSender(address, [frame_request("full", FRAME)], connections=1, timeout_seconds=10.0)
        assert await sender.send(0, 0) == SendOutcome("RESOURCE_EXHAUSTED")
        await sender.close()
    gone = GrpcFrameSender(address, [frame_request("defects", FRAME)], connections=1, timeout_seconds=10.0)
    assert await gone.send(0, 0) == SendOutcome("UNAVAILABLE")
    await gone.close()


@asynccontextmanager
async def http_server(*answers: bytes) -> AsyncIterator[tuple[str, list[bytes], list[int]]]:
    """Writes the next answer for each request; an empty one closes the connection, the last one is repeated."""
    requests: list[bytes] = []
    connections: list[int] = []

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connections.append(len(connections))
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
                requests.append(head + await reader.readexactly(length))
                answer = answers[min(len(requests), len(answers)) - 1]
                if not answer:
                    break
                for part in (answer[:20], answer[20:]):
                    writer.write(part)
                    await writer.drain()
        except asyncio.IncompleteReadError:
            pass  # the client closed
        finally:
            writer.close()

    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        yield f"127.0.0.1:{port}", requests, connections


def http_answer(body: bytes, status: str = "200 OK") -> bytes:
    return f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body


async def test_http_requests_are_raw_binary_on_a_connection_that_stays_open() -> None:
    body = b'{"parameters":{"outpost_stage_us":"queue=1,decode=2"},"outputs":[]}'
    async with http_server(http_answer(body)) as (address, requests, connections):
        sender = HttpFrameSender(address, [infer_request(address, "defects", FRAME)], timeout_seconds=10.0)
        outcomes = [await sender.send(0, number) for number in range(3)]
        await sender.close()

    assert outcomes == [SendOutcome(OK, STAGES)] * 3
    assert len(connections) == 1
    head, _, sent = requests[2].partition(b"\r\n\r\n")
    assert head.startswith(b"POST /v2/models/defects/infer HTTP/1.1\r\n")
    assert b"Inference-Header-Content-Length: 0" in head
    assert sent == FRAME


async def test_clients_at_once_have_connections_of_their_own() -> None:
    async with http_server(http_answer(b"{}")) as (address, _, connections):
        sender = HttpFrameSender(address, [post_request(address, "/detect", FRAME)], timeout_seconds=10.0)
        for _ in range(3):
            outcomes = await asyncio.gather(*(sender.send(client, client) for client in range(4)))
            assert outcomes == [SendOutcome(OK)] * 4
        await sender.close()

    assert len(connections) == 4


async def test_http_refusals_are_outcomes_and_the_connection_is_used_again() -> None:
    answers = (http_answer(b"{}", "429 Too Many Requests"), http_answer(b"{}"))
    async with http_server(*answers) as (address, _, connections):
        sender = HttpFrameSender(address, [post_request(address, "/detect", FRAME)], timeout_seconds=10.0)
        outcomes = [await sender.send(0, 0) for _ in range(2)]
        await sender.close()

    assert outcomes == [SendOutcome("HTTP 429"), SendOutcome(OK)]
    assert len(connections) == 1


async def test_a_connection_that_the_server_closes_is_replaced() -> None:
    closing = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}"
    async with http_server(b"", closing, http_answer(b"{}")) as (address, _, connections):
        sender = HttpFrameSender(address, [post_request(address, "/detect", FRAME)], timeout_seconds=10.0)
        outcomes = [await sender.send(0, 0) for _ in range(3)]
        await sender.close()

    assert outcomes == [SendOutcome("DISCONNECTED"), SendOutcome(OK), SendOutcome(OK)]
    assert len(connections) == 3


async def test_absence_garbage_and_silence_are_outcomes() -> None:
    async with http_server(b"this is not HTTP at all, not even nearly\r\n\r\n") as (address, _, _connections):
        sender = HttpFrameSender(address, [post_request(address, "/detect", FRAME)], timeout_seconds=10.0)
        assert await sender.send(0, 0) == SendOutcome("DISCONNECTED")
        await sender.close()
    gone = HttpFrameSender(address, [post_request(address, "/detect", FRAME)], timeout_seconds=10.0)
    assert await gone.send(0, 0) == SendOutcome("DISCONNECTED")
    async with http_server(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nonly this") as (address, _, _connections):
        slow = HttpFrameSender(address, [post_request(address, "/detect", FRAME)], timeout_seconds=0.1)
        assert await slow.send(0, 0) == SendOutcome("TIMEOUT")


@pytest.mark.parametrize(
    ("body", "stages"),
    [
        (b'{"parameters":{"outpost_stage_us":"queue=5"}}', "queue=5"),
        (b'{"parameters": {"outpost_stage_us": "queue=5,infer=7"}}\x00\x01', "queue=5,infer=7"),
        (b'{"outputs":[]}', ""),
        (b"", ""),
    ],
)
def test_stages_are_found_in_a_body(body: bytes, stages: str) -> None:
    assert stages_of(body) == stages
