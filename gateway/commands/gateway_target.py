"""Which running gateway a command talks to, and how: flags that the client commands share."""

import argparse
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from gateway.commands.detection_client import DetectionClient
from gateway.commands.grpc_detection_client import GrpcDetectionClient
from gateway.commands.http_detection_client import HttpDetectionClient
from gateway.load.client_access import PLAIN, ClientAccess, read_access

GRPC_ADDRESS = "127.0.0.1:8001"
HTTP_ADDRESS = "127.0.0.1:8000"


@dataclass(frozen=True, slots=True)
class GatewayTarget:
    """Address, protocol and model, and how to get in."""

    protocol: Literal["grpc", "http"]
    address: str
    model: str
    timeout_seconds: float
    access: ClientAccess = PLAIN

    @property
    def port(self) -> int:
        """The port of the address."""
        return int(self.address.rpartition(":")[2])

    @property
    def is_local(self) -> bool:
        """Whether the gateway runs on this host."""
        return self.address.rpartition(":")[0] in ("127.0.0.1", "localhost", "[::1]")

    def client(self) -> DetectionClient:
        """A client for single frames."""
        if self.protocol == "http":
            return HttpDetectionClient(self.address, self.model, self.timeout_seconds, self.access)
        return GrpcDetectionClient(self.address, self.model, self.timeout_seconds, self.access)


def add_target_arguments(parser: argparse.ArgumentParser) -> None:
    """The flags."""
    protocol = parser.add_mutually_exclusive_group()
    protocol.add_argument(
        "--grpc",
        type=address,
        metavar="HOST:PORT",
        default=GRPC_ADDRESS,
        help="gateway's gRPC listener (default: %(default)s)",
    )
    protocol.add_argument(
        "--http",
        type=address,
        metavar="HOST:PORT",
        nargs="?",
        const=HTTP_ADDRESS,
        help=f"speak HTTP instead (without a value: {HTTP_ADDRESS})",
    )
    parser.add_argument("--model", default="defects", metavar="NAME", help="alias to ask (default: %(default)s)")
    parser.add_argument(
        "--timeout", type=float, default=30.0, metavar="SECONDS", help="deadline of a request (default: %(default)g)"
    )
    parser.add_argument("--tls", action="store_true", help="speak TLS, and trust the system's authorities")
    parser.add_argument(
        "--tls-authority", type=Path, metavar="FILE", help="speak TLS, and trust this authority's certificate (PEM)"
    )
    parser.add_argument(
        "--token-file", type=Path, metavar="FILE", help="the first bearer token in it goes with every request"
    )


def target_of(args: argparse.Namespace) -> GatewayTarget:
    """What the flags say.

    Raises:
        AccessFileUnusable: The authority's certificate or the token file.
    """
    access = read_access(tls=args.tls, authority=args.tls_authority, token_file=args.token_file)
    if args.http is not None:
        return GatewayTarget("http", args.http, args.model, args.timeout, access)
    return GatewayTarget("grpc", args.grpc, args.model, args.timeout, access)


def address(text: str) -> str:
    """The type of a ``HOST:PORT`` flag.

    Raises:
        argparse.ArgumentTypeError: The text has another form.
    """
    host, _, port = text.rpartition(":")
    if not host or not port.isdecimal() or not 0 < int(port) < 65536:
        raise argparse.ArgumentTypeError(f"expected HOST:PORT, got {text!r}")
    return text
