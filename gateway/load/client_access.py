"""How a client gets into a gateway: TLS, and a bearer token."""

import ssl
from dataclasses import dataclass

import grpc
import grpc.aio


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
