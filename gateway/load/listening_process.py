"""Which process serves a port of this host."""

from pathlib import Path

from gateway.load.process_cpu import PROC, command_line, parent_of

_LISTENING = "0A"
_GATEWAY_MARKS = ("outpost-gateway", "-m gateway")


def gateway_root(port: int, proc: Path = PROC) -> int | None:
    """The process id of the gateway that listens on a port: of its supervisor where it has several workers.

    Returns:
        None where nobody listens, or the process belongs to someone else.
    """
    pid = listener_of(port, proc)
    while pid is not None:
        parent = parent_of(pid, proc)
        if parent is None or not _is_gateway(command_line(parent, proc)):
            return pid
        pid = parent
    return None


def listener_of(port: int, proc: Path = PROC) -> int | None:
    """A process that listens on a TCP port; None where there is none that we may look into."""
    inodes = listening_inodes(port, proc)
    if not inodes:
        return None
    targets = {f"socket:[{inode}]" for inode in inodes}
    for entry in sorted(proc.iterdir()):
        if entry.name.isdecimal() and _holds(entry / "fd", targets):
            return int(entry.name)
    return None


def listening_inodes(port: int, proc: Path = PROC) -> set[str]:
    """Inodes of the sockets that listen on a port, from proc(5) ``net/tcp``."""
    found = set()
    for table in ("tcp", "tcp6"):
        try:
            lines = (proc / "net" / table).read_text().splitlines()[1:]
        except OSError:
            continue
        for line in lines:
            fields = line.split()
            if fields[3] == _LISTENING and int(fields[1].rpartition(":")[2], 16) == port:
                found.add(fields[9])
    return found


def _is_gateway(command: str) -> bool:
    # not a shell or make whose command line only mentions it
    program = Path(command.partition(" ")[0]).name
    return program.startswith(("python", "outpost-gateway")) and any(mark in command for mark in _GATEWAY_MARKS)


def _holds(descriptors: Path, targets: set[str]) -> bool:
    try:
        return any(str(entry.readlink()) in targets for entry in descriptors.iterdir())
    except OSError:
        return False
