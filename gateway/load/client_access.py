"""How a client gets into a gateway: TLS, and a bearer token."""

import ssl
from dataclasses import dataclass
from pathlib import Path

import grpc


@dataclass(frozen=True, slots=True)
class ClientAccess:
    """What a client shows and expects; by default plain text and no token.

    Attributes:
        tls: Whether connections are encrypted.
        authority_pem: Certificates that the gateway's is checked with; None takes those of the system.
        token: Sent with every request; empty for none.
    """

    tls: bool = False
    authority_pem: bytes | None = None
    token: str = ""

    @property
    def headers(self) -> dict[str, str]:
        """HTTP headers, and gRPC metadata, of every request."""
        return {"authorization": f"Bearer {self.token}"} if self.token else {}

    @property
    def metadata(self) -> tuple[tuple[str, str], ...]:
        """The same for gRPC."""
        return tuple(self.headers.items())

    def http_context(self) -> ssl.SSLContext | None:
        """For HTTP connections; None in plain text."""
        if not self.tls:
            return None
        return ssl.create_default_context(cadata=None if self.authority_pem is None else self.authority_pem.decode())

    def grpc_credentials(self) -> grpc.ChannelCredentials | None:
        """For gRPC channels; None in plain text."""
        return grpc.ssl_channel_credentials(self.authority_pem) if self.tls else None


PLAIN = ClientAccess()


class AccessFileUnusable(Exception):
    """A file that a client needs to get in."""

    def __init__(self, flag: str, path: Path, reason: str) -> None:
        super().__init__(f"{flag} {path} cannot be used: {reason}")


def read_access(*, tls: bool, authority: Path | None, token_file: Path | None) -> ClientAccess:
    """What the files hold; an authority means TLS.

    Raises:
        AccessFileUnusable: One cannot be read, is no PEM, or has no token.
    """
    pem = None if authority is None else _authority(authority)
    return ClientAccess(tls or pem is not None, pem, "" if token_file is None else _first_token(token_file))


def _authority(path: Path) -> bytes:
    content = _content("--tls-authority", path)
    try:
        ssl.create_default_context(cadata=content.decode("ascii"))
    except (UnicodeDecodeError, ssl.SSLError) as error:
        raise AccessFileUnusable("--tls-authority", path, "it is no certificate in PEM form") from error
    return content


def _first_token(path: Path) -> str:
    content = _content("--token-file", path)
    if not content.isascii():
        raise AccessFileUnusable("--token-file", path, "tokens are printable ASCII without spaces")
    lines = (line.strip() for line in content.decode("ascii").splitlines())
    token = next((line for line in lines if line and not line.startswith("#")), "")
    if not token or not token.isprintable():
        raise AccessFileUnusable("--token-file", path, "it has no token")
    return token


def _content(flag: str, path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise AccessFileUnusable(flag, path, error.strerror or str(error)) from error
