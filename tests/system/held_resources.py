"""What a gateway and everything below it hold at one moment."""

import contextlib
from dataclasses import dataclass
from pathlib import Path

from gateway.load.process_cpu import read_tree, rss_bytes_by_role
from gateway.supervision.state_folder import StateFolder
from tests.system.gateway_process import GatewayProcess

SHARED_MEMORY = Path("/dev/shm")


@dataclass(frozen=True, slots=True)
class HeldResources:
    """By role (gateway, tritonserver, backend); shared memory is the whole gateway's.

    Attributes:
        requests: Answered until then.
        rss_bytes: Resident memory.
        descriptors: Open files and sockets.
        regions: Shared memory objects, in bytes by name.
    """

    requests: int
    rss_bytes: dict[str, int]
    descriptors: dict[str, int]
    regions: dict[str, int]


def read_held(gateway: GatewayProcess, requests: int = 0) -> HeldResources:
    """Read it now; processes that end meanwhile are left out."""
    assert gateway.process is not None
    tree = read_tree(gateway.process.pid, "gateway")
    descriptors: dict[str, int] = {}
    for process in tree:
        with contextlib.suppress(OSError):
            count = sum(1 for _ in Path(f"/proc/{process.pid}/fd").iterdir())
            descriptors[process.role] = descriptors.get(process.role, 0) + count
    return HeldResources(requests, rss_bytes_by_role(tree), descriptors, regions_of(gateway))


def regions_of(gateway: GatewayProcess) -> dict[str, int]:
    """Bytes of this gateway's shared memory objects, by name."""
    found = {}
    for path in SHARED_MEMORY.glob(f"outpost_{StateFolder(gateway.state_dir).key}*"):
        with contextlib.suppress(OSError):
            found[path.name] = path.stat().st_size
    return found
