"""The real gateway with TLS, a token and two workers, asked by stock clients."""

import ssl
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
import tritonclient.grpc
from tritonclient.utils import InferenceServerException

from tests.system.access_files import BEARER, TOKEN, make_access_files
from tests.system.gateway_process import GatewayProcess, wait_for
from tests.system.test_serving import frames_input


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file with the authority's certificate; beside it those of the server, and the tokens."""
    return make_access_files(tmp_path_factory.mktemp("access"))


def tiny_answers(process: GatewayProcess) -> bool:
    try:
        return bool(process.status()["models"]["tiny"]["answers"])
    except (OSError, KeyError):
        return False


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory, seed_dir: Path, authority: Path) -> Iterator[GatewayProcess]:
    folder = authority.parent
    files = {"tls_certificate": folder / "server.crt", "tls_key": folder / "server.key"}
    state = tmp_path_factory.mktemp("guarded") / "state"
    process = GatewayProcess(state, seed_dir, workers=2, token_file=folder / "tokens", drain_seconds=1, **files)
    process.start()
    try:
        wait_for(lambda: process.exited() or tiny_answers(process), 120, process.log)
        yield process
    finally:
        process.close()


def test_stock_clients_get_in_with_a_token_only(guarded: GatewayProcess, authority: Path, grey_jpeg: bytes) -> None:
    with tritonclient.grpc.InferenceServerClient(
        guarded.grpc_address, ssl=True, root_certificates=str(authority)
    ) as client:
        frames = [frames_input(tritonclient.grpc, grey_jpeg)]
        assert client.is_server_ready()
        with pytest.raises(InferenceServerException, match="no bearer token"):
            client.infer("tiny", frames)
        answer = client.infer("tiny", frames, headers=BEARER)
        assert answer.as_numpy("num_detections").tolist() == [1]
    address = f"https://{guarded.http_address}"
    trusting = ssl.create_default_context(cafile=str(authority))
    with httpx.Client(verify=trusting, trust_env=False, timeout=20) as http:
        assert http.get(f"{address}/v2/health/ready").status_code == 200
        assert http.post(f"{address}/v1/models/tiny/detect", content=grey_jpeg).status_code == 401
        found = http.post(f"{address}/v1/models/tiny/detect", content=grey_jpeg, headers=BEARER)
        assert (found.status_code, len(found.json()["frames"][0]["detections"])) == (200, 1)
    assert guarded.metric("outpost_rejections_total", reason="unauthenticated") == 2


def test_a_changed_token_is_taken_by_every_worker(guarded: GatewayProcess, authority: Path) -> None:
    (authority.parent / "tokens").write_text("another-token-of-this-test\na-third-token-of-this-test\n")
    codes, trusting = set(), ssl.create_default_context(cafile=str(authority))
    for _ in range(20):  # connections of their own, so that both workers are asked
        with httpx.Client(verify=trusting, trust_env=False, timeout=20, headers=BEARER) as http:
            codes.add(http.get(f"https://{guarded.http_address}/v2").status_code)
    assert codes == {401}


def test_status_tells_how_it_is_guarded_and_no_secret(guarded: GatewayProcess) -> None:
    access = guarded.status()["access"]
    assert access["tls"].endswith("server.crt")
    assert access["bearer_tokens"] == 2
    assert TOKEN not in guarded.log()
