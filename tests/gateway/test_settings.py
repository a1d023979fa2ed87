"""What settings say together."""

from pathlib import Path

import pytest

from gateway.settings import Settings


def test_a_mounted_folder_seeds_only_where_it_holds_builds(tmp_path: Path) -> None:
    mounted, own = tmp_path / "models", tmp_path / "own"
    settings = Settings(mounted_seed_dir=mounted, seed_dir=own)
    assert settings.chosen_seed_dir == own
    (mounted / "not-a-build").mkdir(parents=True)
    assert settings.chosen_seed_dir == own
    (mounted / "parts-1.0.0_x86-cpu").mkdir()
    (mounted / "parts-1.0.0_x86-cpu" / "config.pbtxt").touch()
    assert settings.chosen_seed_dir == mounted
    assert Settings(seed_dir=own).chosen_seed_dir == own


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
