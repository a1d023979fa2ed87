"""What settings say together."""

import pytest
from pydantic import ValidationError

from gateway.settings import Settings


def test_an_empty_variable_is_one_that_is_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("TLS_CERTIFICATE", "TLS_KEY", "TOKEN_FILE", "HARDWARE_CLASS", "WORKERS"):
        monkeypatch.setenv(f"OUTPOST_GATEWAY_{name}", "")
    settings = Settings()
    assert (settings.tls_certificate, settings.tls_key, settings.token_file) == (None, None, None)
    assert (settings.hardware_class, settings.workers) == ("", 1)


def test_only_a_triton_elsewhere_is_out_of_sight() -> None:
    assert Settings().on_this_machine
    assert not Settings(triton="grpc://h:1").on_this_machine
    assert Settings(triton="grpc://h:1", triton_shares_state=True).on_this_machine


def test_tritons_metrics_listen_where_its_other_ports_do_unless_told_otherwise() -> None:
    assert Settings(triton_host="10.0.0.7").triton_metrics_address == "10.0.0.7"
    elsewhere = Settings(triton_metrics_host="0.0.0.0")
    assert (elsewhere.triton_host, elsewhere.triton_metrics_address) == ("127.0.0.1", "0.0.0.0")


@pytest.mark.parametrize(
    ("host", "grpc", "http"),
    [
        ("127.0.0.1", "127.0.0.1:18001", "http://127.0.0.1:18000"),
        ("10.0.0.7", "10.0.0.7:18001", "http://10.0.0.7:18000"),
        ("0.0.0.0", "127.0.0.1:18001", "http://127.0.0.1:18000"),
        ("fd00::7", "[fd00::7]:18001", "http://[fd00::7]:18000"),
        ("::", "[::1]:18001", "http://[::1]:18000"),
    ],
)
def test_the_gateway_asks_its_own_triton_where_that_listens(host: str, grpc: str, http: str) -> None:
    settings = Settings(triton_host=host)
    assert (settings.triton_address, settings.own_triton_http_url) == (grpc, http)


def test_a_triton_elsewhere_has_no_ports_here() -> None:
    assert "triton_grpc_port" in Settings().port_addresses
    assert "triton_grpc_port" not in Settings(triton="grpc://h:1").port_addresses


def test_models_to_seed_are_names_with_commas() -> None:
    assert Settings().seed_model_names == ()
    assert Settings(seed_models="defects,defects-cloud").seed_model_names == ("defects", "defects-cloud")
    with pytest.raises(ValidationError, match="seed_models"):
        Settings(seed_models="defects, parts")
