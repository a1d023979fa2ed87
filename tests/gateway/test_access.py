"""Bearer tokens and TLS on the real listeners: who gets in, what is said to the others, and files that are replaced."""

import asyncio
import http.client
import logging
import os
import ssl
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import grpc
import grpc.aio
import httpx
import pytest
import trustme
from pydantic import ValidationError

from gateway.access.bearer_tokens import BearerTokens
from gateway.access.server_certificate import ServerCertificate
from gateway.errors import Unauthenticated
from gateway.oip import service_pb2, service_pb2_grpc
from gateway.settings import Settings
from gateway.start_errors import SecretUnusable
from tests.fakes.grpc_gateway import running_grpc_gateway
from tests.fakes.http_gateway import BUILD, INFER, RAW, client_of, running_http_gateway
from tests.fakes.pictures import jpeg

TOKEN, OTHER = "first-token-0123456789", "other-token-0123456789"


def bearer(token: str) -> dict[str, str]:
    return {"authorization": f"Bearer {token}"}


@pytest.fixture
def token_file(tmp_path: Path) -> Path:
    path = tmp_path / "tokens"
    path.write_text(f"# line 4\n{TOKEN}\n\n")
    return path


@dataclass
class Keys:
    """An authority and the two files of a server."""

    authority: trustme.CA
    certificate: Path
    key: Path

    def issue(self) -> None:
        """Write both files anew, each replaced at once."""
        issued = self.authority.issue_cert("localhost", "127.0.0.1")
        for path, content in (
            (self.key, issued.private_key_pem.bytes()),
            (self.certificate, b"".join(pem.bytes() for pem in issued.cert_chain_pems)),
        ):
            fresh = path.with_suffix(".new")
            fresh.write_bytes(content)
            fresh.replace(path)

    def client_context(self) -> ssl.SSLContext:
        context = ssl.create_default_context()
        self.authority.configure_trust(context)
        return context

    def channel_credentials(self) -> grpc.ChannelCredentials:
        return grpc.ssl_channel_credentials(self.authority.cert_pem.bytes())


@pytest.fixture
def keys(tmp_path: Path) -> Keys:
    made = Keys(trustme.CA(), tmp_path / "server.crt", tmp_path / "server.key")
    made.issue()
    return made


@pytest.mark.parametrize(
    ("header", "reason"),
    [
        (None, "has no bearer token"),
        ("", "has no bearer token"),
        ("Bearer", "has no bearer token"),
        (f"Basic {TOKEN}", "has no bearer token"),
        (TOKEN, "has no bearer token"),
        (f"Bearer {OTHER}", "is not one of"),
        (f"Bearer {TOKEN}x", "is not one of"),
        ("Bearer \u00ff", "is not one of"),
    ],
)
def test_who_is_refused(token_file: Path, header: str | None, reason: str) -> None:
    with pytest.raises(Unauthenticated, match=reason):
        BearerTokens(token_file).require(header)


@pytest.mark.parametrize("header", [f"Bearer {TOKEN}", f"bearer {TOKEN}", f"Bearer  {TOKEN} "])
def test_who_is_not(token_file: Path, header: str) -> None:
    BearerTokens(token_file).require(header)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (None, "No such file"),
        (b"", "it has no token"),
        (b"# only words\n", "it has no token"),
        (b"short\n", "line 1: a token has at least 16 characters, this one has 5"),
        (b"two words in one token\n", "line 1: a token is printable ASCII without spaces"),
        ("gr\u00fc\u00dfe-aus-der-fabrik".encode(), "printable ASCII"),
    ],
)
def test_a_token_file_that_cannot_be_used_names_the_line(tmp_path: Path, content: bytes | None, reason: str) -> None:
    path = tmp_path / "tokens"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(SecretUnusable, match=f"--token-file .*{reason}"):
        BearerTokens(path)


def test_a_token_is_replaced_without_an_interruption(token_file: Path, caplog: pytest.LogCaptureFixture) -> None:
    tokens = BearerTokens(token_file)
    token_file.write_text(f"{TOKEN}\n{OTHER}\n")
    tokens.require(f"Bearer {TOKEN}")
    tokens.require(f"Bearer {OTHER}")
    token_file.write_text("too short")
    with caplog.at_level(logging.WARNING):
        tokens.require(f"Bearer {OTHER}")
    assert "the old tokens stay good" in caplog.text
    assert OTHER not in caplog.text
    token_file.write_text(f"{OTHER}\n")
    with pytest.raises(Unauthenticated):
        tokens.require(f"Bearer {TOKEN}")


async def test_http_asks_for_a_token(token_file: Path) -> None:
    async with running_http_gateway(tokens=BearerTokens(token_file)) as gateway, client_of(gateway) as client:
        refused = await client.post(INFER, content=jpeg(), headers=RAW)
        assert (refused.status_code, refused.headers["www-authenticate"]) == (401, "Bearer")
        assert "authorization: Bearer <token>" in refused.json()["error"]
        assert refused.headers["x-request-id"]
        for path in ("/", "/v2", "/v2/models/defects", "/v1/vision/detection", "/no/such/path"):
            assert (await client.get(path, headers=bearer(OTHER))).status_code == 401
        assert gateway.count("outpost_rejections_total", reason="unauthenticated") == 6
        assert gateway.count("outpost_body_bytes") == 0
        assert (await client.post(INFER, content=jpeg(), headers=RAW | bearer(TOKEN))).status_code == 200
        for path in ("/v2/health/live", "/v2/health/ready"):
            assert (await client.get(path)).status_code == 200


async def test_a_refused_body_is_not_read(token_file: Path) -> None:
    async with running_http_gateway(tokens=BearerTokens(token_file)) as gateway:
        reader, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
        writer.write(f"POST {INFER} HTTP/1.1\r\nhost: x\r\ncontent-length: 50000000\r\n\r\n".encode())
        answer = await asyncio.wait_for(reader.read(), 10)
        writer.close()
    assert answer.startswith(b"HTTP/1.1 401")
    assert b"connection: close" in answer.lower()


async def test_a_client_that_sends_all_before_it_reads_gets_the_refusal(token_file: Path) -> None:
    def send_all(port: int) -> tuple[int, str | None]:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
        connection.request("POST", INFER, bytes(20_000_000), RAW)
        answer = connection.getresponse()
        return answer.status, answer.headers["connection"]

    async with running_http_gateway(tokens=BearerTokens(token_file)) as gateway:
        for _ in range(5):
            assert await asyncio.to_thread(send_all, gateway.port) == (401, "close")


@pytest.fixture
async def guarded_stub(token_file: Path) -> AsyncIterator[service_pb2_grpc.GRPCInferenceServiceStub]:
    tokens = BearerTokens(token_file)
    async with running_grpc_gateway(tokens=tokens) as address, grpc.aio.insecure_channel(address) as channel:
        yield service_pb2_grpc.GRPCInferenceServiceStub(channel)


async def test_grpc_asks_for_a_token(guarded_stub: service_pb2_grpc.GRPCInferenceServiceStub) -> None:
    ask = service_pb2.ModelReadyRequest(name="defects")
    for metadata in (None, [("authorization", f"Bearer {OTHER}")]):
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await guarded_stub.ModelReady(ask, metadata=metadata)
        assert refused.value.code() == grpc.StatusCode.UNAUTHENTICATED
        assert "authorization: Bearer <token>" in (refused.value.details() or "")
    assert (await guarded_stub.ModelReady(ask, metadata=[("authorization", f"Bearer {TOKEN}")])).ready
    assert (await guarded_stub.ServerLive(service_pb2.ServerLiveRequest())).live
    assert (await guarded_stub.ServerReady(service_pb2.ServerReadyRequest())).ready


async def test_a_call_is_refused_before_its_message_is_there(token_file: Path) -> None:
    async def nothing() -> AsyncIterator[bytes]:
        await asyncio.sleep(60)
        yield b""

    tokens = BearerTokens(token_file)
    async with running_grpc_gateway(tokens=tokens) as address, grpc.aio.insecure_channel(address) as channel:
        call = channel.stream_unary("/inference.GRPCInferenceService/ModelInfer")(nothing(), timeout=20)
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await call
    assert refused.value.code() == grpc.StatusCode.UNAUTHENTICATED


async def test_a_stream_without_a_token_ends_at_once(guarded_stub: service_pb2_grpc.GRPCInferenceServiceStub) -> None:
    async def requests() -> AsyncIterator[service_pb2.ModelInferRequest]:
        yield service_pb2.ModelInferRequest(model_name="defects")
        await asyncio.sleep(60)

    answers = aiter(guarded_stub.ModelStreamInfer(requests()))
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await anext(answers)
    assert refused.value.code() == grpc.StatusCode.UNAUTHENTICATED


async def test_http_over_tls_shows_a_replaced_certificate(keys: Keys) -> None:
    context = ServerCertificate(keys.certificate, keys.key).http_context()
    async with running_http_gateway(tls=context) as gateway:

        async def serial_number() -> str:
            reader, writer = await asyncio.open_connection("127.0.0.1", gateway.port, ssl=keys.client_context())
            shown = writer.get_extra_info("peercert")["serialNumber"]
            writer.write(b"GET /v2/health/live HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
            assert (await reader.read()).startswith(b"HTTP/1.1 200")
            writer.close()
            return str(shown)

        first = await serial_number()
        assert await serial_number() == first
        keys.issue()
        second = await serial_number()
        assert second != first
        keys.key.write_bytes(b"half a file")
        assert await serial_number() == second


async def test_plain_http_to_a_tls_port_gets_nothing(keys: Keys) -> None:
    context = ServerCertificate(keys.certificate, keys.key).http_context()
    async with running_http_gateway(tls=context) as gateway:
        async with client_of(gateway) as plain:
            with pytest.raises(httpx.TransportError):
                await plain.get("/v2/health/live")
        async with httpx.AsyncClient(verify=keys.client_context(), trust_env=False) as client:
            answer = await client.post(f"https://{gateway.address}{INFER}", content=jpeg(), headers=RAW)
        assert answer.status_code == 200
        assert gateway.count("outpost_requests_total", model="defects", build=BUILD, protocol="http", code="200") == 1


async def test_grpc_over_tls_shows_a_replaced_certificate(keys: Keys) -> None:
    credentials = ServerCertificate(keys.certificate, keys.key).grpc_credentials()
    async with running_grpc_gateway(credentials=credentials) as address:

        async def is_live() -> bool:
            async with grpc.aio.secure_channel(address, keys.channel_credentials()) as channel:
                stub = service_pb2_grpc.GRPCInferenceServiceStub(channel)
                return bool((await stub.ServerLive(service_pb2.ServerLiveRequest(), timeout=10)).live)

        assert await is_live()
        keys.certificate.write_bytes(b"half a file")
        assert await is_live()
        keys.authority = trustme.CA()
        keys.issue()
        assert await is_live()


@pytest.mark.parametrize("broken", ["missing key", "another key", "no PEM"])
def test_a_certificate_that_cannot_be_used_is_named(keys: Keys, broken: str) -> None:
    if broken == "missing key":
        keys.key.unlink()
    elif broken == "another key":
        keys.key.write_bytes(trustme.CA().issue_cert("localhost").private_key_pem.bytes())
    else:
        keys.certificate.write_bytes(os.urandom(100))
    with pytest.raises(SecretUnusable, match=r"--tls-(key|certificate) .*server\.(key|crt) cannot be used"):
        ServerCertificate(keys.certificate, keys.key)


def test_one_part_of_tls_is_not_enough(tmp_path: Path) -> None:
    with pytest.raises(ValidationError, match="tls_certificate and tls_key go together"):
        Settings(tls_certificate=tmp_path / "server.crt")
