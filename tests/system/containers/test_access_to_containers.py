"""TLS and tokens from mounted files, through the published ports."""

import ssl
from pathlib import Path

import httpx
import pytest
import tritonclient.grpc
from tritonclient.utils import InferenceServerException

from tests.system.access_files import BEARER, make_access_files
from tests.system.containers.conftest import Projects
from tests.system.containers.steady_load import Detections, detect
from tests.system.gateway_process import wait_for

pytestmark = pytest.mark.containers
MOUNTED = "/run/outpost-secrets"


@pytest.fixture
def secrets(tmp_path: Path) -> Path:
    authority = make_access_files(tmp_path)
    tmp_path.chmod(0o755)
    (tmp_path / "server.key").chmod(0o644)
    return authority.parent


def variables(secrets: Path) -> dict[str, str]:
    return {
        "OUTPOST_SECRETS": str(secrets),
        "OUTPOST_TLS_CERTIFICATE": f"{MOUNTED}/server.crt",
        "OUTPOST_TLS_KEY": f"{MOUNTED}/server.key",
        "OUTPOST_TOKEN_FILE": f"{MOUNTED}/tokens",
    }


def test_only_who_has_a_token_is_answered_and_nothing_travels_in_the_clear(
    projects: Projects, secrets: Path, expected: dict[bytes, Detections]
) -> None:
    frame, detections = next(iter(expected.items()))
    with projects(**variables(secrets)) as project:
        project.up("gateway")
        url = f"https://{project.http_address}"
        trusted = ssl.create_default_context(cafile=secrets / "authority.pem")
        with httpx.Client(verify=trusted, trust_env=False, timeout=30) as client:
            detect_url = f"{url}/v1/models/defects/detect"

            def is_answered() -> bool:
                try:
                    return client.post(detect_url, content=frame, headers=BEARER).status_code == 200
                except httpx.TransportError:
                    return False

            wait_for(is_answered, 60, project.logs)
            assert client.post(detect_url, content=frame).status_code == 401
        with pytest.raises(httpx.TransportError):
            project.post("/v1/models/defects/detect", frame)
        encrypted = {"ssl": True, "root_certificates": str(secrets / "authority.pem")}
        with tritonclient.grpc.InferenceServerClient(project.grpc_address, **encrypted) as stock:
            with pytest.raises(InferenceServerException, match="UNAUTHENTICATED"):
                detect(tritonclient.grpc, stock, "defects", frame)
            assert detect(tritonclient.grpc, stock, "defects", frame, headers=BEARER) == detections
        wait_for(lambda: project.health("gateway") == "healthy", 60, project.logs)
        environment = " ".join(project.container("gateway").attrs["Config"]["Env"])
        assert (secrets / "tokens").read_text().strip() not in environment


def test_a_key_that_the_container_may_not_read_is_named(projects: Projects, secrets: Path) -> None:
    (secrets / "server.key").chmod(0o600)
    with projects(**variables(secrets)) as project:
        project.compose("up", "--detach", "gateway")
        wait_for(lambda: project.restarts("gateway") >= 1, 30, project.logs)
        assert f"--tls-key {MOUNTED}/server.key cannot be used" in project.log("gateway")
        assert "Permission denied" in project.log("gateway")
        assert project.health("triton") == "healthy"
