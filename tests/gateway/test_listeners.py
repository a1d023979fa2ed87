import socket

import pytest

from gateway.listeners import free_port, listen, require_free
from gateway.start_errors import PortTaken


def test_a_free_port_passes_and_a_taken_one_is_named() -> None:
    port = free_port()
    require_free("http_port", "127.0.0.1", port)
    with listen("http_port", "127.0.0.1", port):
        with pytest.raises(PortTaken, match=rf"http_port 127\.0\.0\.1:{port} cannot be opened: .*--http-port"):
            require_free("http_port", "127.0.0.1", port)
        listen("http_port", "127.0.0.1", port).close()  # our own processes share it


def test_an_address_of_another_machine_is_refused() -> None:
    with pytest.raises(PortTaken, match="cannot be opened"):
        require_free("http_port", "192.0.2.1", 0)
    with pytest.raises(PortTaken, match="unknown address"):
        listen("http_port", "no-such-host.invalid", 0)


def test_two_free_ports_differ_while_both_are_held() -> None:
    with socket.socket() as held:
        held.bind(("127.0.0.1", free_port()))
        assert free_port() != held.getsockname()[1]
