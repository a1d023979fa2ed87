"""The Triton that the settings ask for."""

from pathlib import Path

from gateway.settings import Settings
from gateway.supervision.embedded_triton import EmbeddedTriton, TritonPorts
from gateway.supervision.state_folder import StateFolder
from gateway.supervision.triton_installation import find_installation


def configured_triton(settings: Settings, state: StateFolder, log_file: Path | None) -> EmbeddedTriton:
    """A Triton on the builds of a state folder, not started.

    Args:
        settings: With ports chosen.
        state: Open.
        log_file: Where its output goes; None: where ours goes.

    Raises:
        TritonNotInstalled: A part is missing.
        LibpythonMissing: This Python has no shared library.
    """
    return EmbeddedTriton(
        find_installation(settings.triton_root),
        state.repository,
        state.triton,
        log_file,
        TritonPorts(
            settings.triton_http_port,
            settings.triton_grpc_port,
            settings.triton_metrics_port,
            settings.triton_host,
            settings.triton_metrics_address,
        ),
        state.triton_memory_prefix,
    )
