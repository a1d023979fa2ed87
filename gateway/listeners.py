"""Listening sockets: one test that nobody has the port, then any number of processes that share it."""

import socket

from gateway.start_errors import PortTaken

_BACKLOG = 1024


def free_port() -> int:
    """A port on loopback that nobody uses now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def require_free(name: str, host: str, port: int) -> None:
    """Fail when the port is taken. Sharing sockets would not notice another gateway on the same port.

    Args:
        name: Of the setting, for the error.
        host: Address to bind.
        port: 0 is always free.

    Raises:
        PortTaken: The address cannot be bound.
    """
    with _socket_for(name, host, port) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        _bind(probe, name, host, port)


def listen(name: str, host: str, port: int) -> socket.socket:
    """A listening socket that others of our processes may share.

    Raises:
        PortTaken: The address cannot be bound.
    """
    listener = _socket_for(name, host, port)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    _bind(listener, name, host, port)
    listener.listen(_BACKLOG)
    listener.setblocking(False)
    return listener


def _socket_for(name: str, host: str, port: int) -> socket.socket:
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
    except socket.gaierror as error:
        raise PortTaken(name, host, port, f"unknown address ({error.strerror})") from error
    return socket.socket(family, socket.SOCK_STREAM)


def _bind(listener: socket.socket, name: str, host: str, port: int) -> None:
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise PortTaken(name, host, port, error.strerror or str(error)) from error
