"""Why the agent cannot start: each says what to do.

StartError
├── HostRootUnusable
└── PortTaken
"""

from pathlib import Path


class StartError(Exception):
    """The command ends with this sentence and exit code 2."""


class HostRootUnusable(StartError):
    """The machine's ``/proc`` cannot be read below the given folder."""

    def __init__(self, root: Path, reason: str) -> None:
        super().__init__(
            f"the machine cannot be read below {root}: {reason}; mount the host's /proc and /sys there,"
            " or choose another folder with --host-root"
        )


class PortTaken(StartError):
    """The address of the metrics cannot be opened."""

    def __init__(self, host: str, port: int, reason: str) -> None:
        self.port = port
        super().__init__(
            f"metrics_port {host}:{port} cannot be opened: {reason}; stop what listens there ('ss -ltnp' shows it),"
            " or choose another one with --metrics-port or --metrics-host"
        )
