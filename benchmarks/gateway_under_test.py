"""A gateway with embedded Triton on a state folder of its own."""

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from benchmarks.child_server import child_server, free_ports
from gateway.frame_memory import remove_stale_regions
from gateway.supervision.state_folder import StateFolder

GATEWAY_ROLE = "gateway"


@dataclass(frozen=True, slots=True)
class RunningGateway:
    """Process id of the gateway and where it and its Triton listen."""

    pid: int
    http_address: str
    grpc_address: str
    triton_address: str
    admin_address: str


@contextlib.contextmanager
def running_gateway(
    seed: Path, work: Path, settings: Mapping[str, str] | None = None, *, start_seconds: float = 120.0
) -> Iterator[RunningGateway]:
    """Run ``outpost-gateway serve`` until the end of the block.

    Args:
        seed: Folder of builds.
        work: Folder for state and log.
        settings: Of the gateway, by name, besides the folders and ports.
        start_seconds: It is ready by then.

    Raises:
        ServerFailed: It does not get ready.
    """
    http, grpc, metrics, admin, triton_http, triton_grpc, triton_metrics = free_ports(7)
    state = work / "state"
    values = {
        **(settings or {}),
        "STATE_DIR": state,
        "SEED_DIR": seed,
        "HTTP_PORT": http,
        "GRPC_PORT": grpc,
        "METRICS_PORT": metrics,
        "ADMIN_PORT": admin,
        "TRITON_HTTP_PORT": triton_http,
        "TRITON_GRPC_PORT": triton_grpc,
        "TRITON_METRICS_PORT": triton_metrics,
    }
    server = child_server(
        "gateway",
        ["gateway", "serve"],
        ready_url=f"http://127.0.0.1:{http}/v2/health/ready",
        log=work / "gateway.log",
        environment={f"OUTPOST_GATEWAY_{name}": str(value) for name, value in values.items()},
        timeout_seconds=start_seconds,
    )
    try:
        with server as pid:
            addresses = (f"127.0.0.1:{port}" for port in (http, grpc, triton_grpc, admin))
            yield RunningGateway(pid, *addresses)
    finally:
        # a gateway that had to be killed leaves them, and no other will use this state folder
        remove_stale_regions(f"outpost_{StateFolder(state).key}_")
