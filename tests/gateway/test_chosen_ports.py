"""Ports are tried at the addresses that they are opened at."""

import socket

import pytest

from gateway.app import with_ports_chosen
from gateway.settings import Settings
from gateway.start_errors import PortTaken

OTHER_ADDRESS = "127.0.0.2"
PORTS = ("http", "grpc", "metrics", "admin", "triton_http", "triton_grpc", "triton_metrics")


def settings(port_of: str, port: int) -> Settings:
    ports = dict.fromkeys((f"{name}_port" for name in PORTS), 0) | {port_of: port}
    return Settings.model_validate(ports | {"triton_host": OTHER_ADDRESS})


@pytest.mark.parametrize("name", ["triton_http_port", "triton_grpc_port", "triton_metrics_port"])
def test_tritons_ports_are_tried_where_triton_listens(name: str) -> None:
    with socket.socket() as taken:
        taken.bind((OTHER_ADDRESS, 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(PortTaken, match=f"{name} {OTHER_ADDRESS}:{port} cannot be opened"):
            with_ports_chosen(settings(name, port))


@pytest.mark.parametrize("name", ["triton_http_port", "triton_grpc_port"])
def test_a_port_that_is_taken_at_another_address_is_no_matter(name: str) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert getattr(with_ports_chosen(settings(name, port)), name) == port
