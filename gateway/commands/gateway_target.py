"""Which running gateway a command talks to, and how: flags that the client commands share."""

import argparse
from dataclasses import dataclass
from typing import Literal

from gateway.commands.detection_client import DetectionClient
from gateway.commands.grpc_detection_client import GrpcDetectionClient
from gateway.commands.http_detection_client import HttpDetectionClient

GRPC_ADDRESS = "127.0.0.1:8001"
HTTP_ADDRESS = "127.0.0.1:8000"


@dataclass(frozen=True, slots=True)
class GatewayTarget:
    """Address, protocol and model."""

    protocol: Literal["grpc", "http"]
    address: str
    model: str
    timeout_seconds: float

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
            return HttpDetectionClient(self.address, self.model, self.timeout_seconds)
        return GrpcDetectionClient(self.address, self.model, self.timeout_seconds)


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


def target_of(args: argparse.Namespace) -> GatewayTarget:
    """What the flags say."""
    if args.http is not None:
        return GatewayTarget("http", args.http, args.model, args.timeout)
    return GatewayTarget("grpc", args.grpc, args.model, args.timeout)


def address(text: str) -> str:
    """The type of a ``HOST:PORT`` flag.

    Raises:
        argparse.ArgumentTypeError: The text has another form.
    """
    host, _, port = text.rpartition(":")
    if not host or not port.isdecimal() or not 0 < int(port) < 65536:
        raise argparse.ArgumentTypeError(f"expected HOST:PORT, got {text!r}")
    return text
