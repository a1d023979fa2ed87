"""``detect`` and ``bench`` against gateways that ask for TLS and a token."""

import argparse
import asyncio
import json
from pathlib import Path

import pytest
import trustme

from gateway.access.bearer_tokens import BearerTokens
from gateway.access.server_certificate import ServerCertificate
from gateway.commands import bench, detect
from tests.fakes.grpc_gateway import running_grpc_gateway
from tests.fakes.http_gateway import running_http_gateway
from tests.fakes.pictures import jpeg

TOKEN = "a-token-of-the-cloud-role"
BENCH = ("--concurrency", "1", "--seconds", "0.3", "--warmup", "0")


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """A folder with a frame, the tokens, and what TLS needs."""
    authority = trustme.CA()
    issued = authority.issue_cert("localhost", "127.0.0.1")
    authority.cert_pem.write_to_path(str(tmp_path / "authority.pem"))
    trustme.CA().cert_pem.write_to_path(str(tmp_path / "stranger.pem"))
    issued.private_key_pem.write_to_path(str(tmp_path / "server.key"))
    issued.cert_chain_pems[0].write_to_path(str(tmp_path / "server.crt"))
    (tmp_path / "tokens").write_text(f"# of the line\n{TOKEN}\n")
    (tmp_path / "frame.jpg").write_bytes(jpeg())
    return tmp_path


def certificate(files: Path) -> ServerCertificate:
    return ServerCertificate(files / "server.crt", files / "server.key")


async def command(verb: str, files: Path, *given: str | Path) -> int:
    module = {"detect": detect, "bench": bench}[verb]
    parser = argparse.ArgumentParser()
    module.add_arguments(parser)
    parsed = parser.parse_args([str(files / "frame.jpg"), *(str(each) for each in given)])
    return await asyncio.to_thread(module.run, parsed)


async def test_with_authority_and_token_frames_are_answered(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tokens, own = (
        BearerTokens(files / "tokens"),
        ("--tls-authority", files / "authority.pem", "--token-file", files / "tokens"),
    )
    http = running_http_gateway([(8, 16, 16, 32, 0.75, 1)], tokens=tokens, tls=certificate(files).http_context())
    grpc = running_grpc_gateway(tokens=tokens, credentials=certificate(files).grpc_credentials())
    async with http as gateway, grpc as address:
        assert await command("detect", files, "--http", gateway.address, "--json", *own) == 0
        assert json.loads(capsys.readouterr().out)[0]["detections"][0]["score"] == 0.75
        assert await command("bench", files, "--http", gateway.address, *BENCH, *own) == 0
        assert await command("detect", files, "--grpc", address, "--json", *own) == 0
        assert await command("bench", files, "--grpc", address, *BENCH, *own) == 0


async def test_without_a_token_or_with_a_strange_authority_it_is_said(
    files: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tokens, trusted = BearerTokens(files / "tokens"), ("--tls-authority", files / "authority.pem")
    http = running_http_gateway(tokens=tokens, tls=certificate(files).http_context())
    grpc = running_grpc_gateway(tokens=tokens, credentials=certificate(files).grpc_credentials())
    async with http as gateway, grpc as address:
        for protocol, server in (("--http", gateway.address), ("--grpc", address)):
            assert await command("detect", files, protocol, server, *trusted) == 2
            assert "has no bearer token" in capsys.readouterr().err
            for access in (("--tls-authority", files / "stranger.pem"), ("--tls",), ()):
                assert await command("detect", files, protocol, server, *access) == 2
                assert "one that speaks TLS needs --tls or --tls-authority" in capsys.readouterr().err


@pytest.mark.parametrize("verb", ["detect", "bench"])
@pytest.mark.parametrize("protocol", ["--grpc", "--http"])
@pytest.mark.parametrize(
    ("flag", "content", "reason"),
    [
        ("--tls-authority", None, "No such file"),
        ("--tls-authority", b"\x30\x82\xff", "it is no certificate in PEM form"),
        ("--tls-authority", b"only words", "it is no certificate in PEM form"),
        ("--token-file", None, "No such file"),
        ("--token-file", b"# a token follows\n", "it has no token"),
        ("--token-file", b"\xff\xfe", "printable ASCII"),
        ("--token-file", "\u0442\u043e\u043a\u0435\u043d".encode(), "printable ASCII"),
    ],
)
async def test_a_file_that_cannot_be_used_is_named(
    files: Path,
    capsys: pytest.CaptureFixture[str],
    verb: str,
    protocol: str,
    flag: str,
    content: bytes | None,
    reason: str,
) -> None:
    path = files / "given"
    if content is not None:
        path.write_bytes(content)
    assert await command(verb, files, protocol, "127.0.0.1:9", flag, path) == 2
    said = capsys.readouterr().err
    assert f"{flag} {path} cannot be used" in said
    assert reason in said
