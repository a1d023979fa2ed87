"""What the fuzz and the soak are made of: the same seed gives the same damage, and bad answers are noticed."""

import contextlib
import io
import json
import random
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import grpc
import pytest
from PIL import Image

from gateway.supervision.state_folder import StateFolder
from tests.system.fuzz_targets import FuzzTargets
from tests.system.gateway_process import GatewayProcess
from tests.system.held_resources import SHARED_MEMORY, read_held
from tests.system.known_frame import KnownFrame
from tests.system.mutations import mutated, sample_pictures, spoiled
from vision.decode import decode_frame

SEEDS = range(200)
TREE = {"id": "1", "inputs": [{"name": "x", "shape": [1, 4], "data": [1.0, 2.0]}]}


def test_damage_depends_on_the_seed_alone() -> None:
    data = bytes(range(256))
    damaged = [mutated(random.Random(seed), data) for seed in SEEDS]
    assert damaged == [mutated(random.Random(seed), data) for seed in SEEDS]
    assert len(set(damaged)) > 150
    assert data not in damaged[:10]
    trees = [json.dumps(spoiled(random.Random(seed), TREE)) for seed in SEEDS]
    assert trees == [json.dumps(spoiled(random.Random(seed), TREE)) for seed in SEEDS]
    assert len(set(trees)) > 100


def test_damage_leaves_the_original_whole() -> None:
    for seed in SEEDS:
        spoiled(random.Random(seed), TREE)
        mutated(random.Random(seed), b"")
    assert TREE == {"id": "1", "inputs": [{"name": "x", "shape": [1, 4], "data": [1.0, 2.0]}]}


def test_undamaged_samples_are_decoded_except_the_one_that_is_no_frame() -> None:
    kinds = set()
    for data in sample_pictures():
        with Image.open(io.BytesIO(data)) as picture:
            kinds.add(picture.format)
            if picture.format != "GIF":
                assert decode_frame(data, target_wh=None, max_pixels=10**6).rgb.size == 96 * 128 * 3
    assert kinds == {"JPEG", "PNG", "WEBP", "BMP", "GIF"}


@contextlib.contextmanager
def http_server(answer: bytes, port: int) -> Iterator[None]:
    """Answers every request with these bytes."""

    class Handler(BaseHTTPRequestHandler):
        def handle(self) -> None:
            self.request.recv(65536)
            self.wfile.write(answer)

    with ThreadingHTTPServer(("127.0.0.1", port), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield
        finally:
            server.shutdown()
            thread.join()


@contextlib.contextmanager
def grpc_server(code: grpc.StatusCode, details: str, port: int) -> Iterator[None]:
    """Refuses every call in this way."""

    class Refuses(grpc.GenericRpcHandler):  # type: ignore[misc]  # grpc has no types
        def service(self, _details: object) -> Any:
            return grpc.unary_unary_rpc_method_handler(lambda _request, context: context.abort(code, details))

    with ThreadPoolExecutor(2) as threads:
        server = grpc.server(threads, handlers=[Refuses()])
        server.add_insecure_port(f"127.0.0.1:{port}")
        server.start()
        try:
            yield
        finally:
            server.stop(0).wait()


@pytest.fixture
def nobody(tmp_path: Path) -> GatewayProcess:
    """A gateway that was not started: its ports are free."""
    return GatewayProcess(tmp_path / "state", tmp_path)


@pytest.fixture
def targets(nobody: GatewayProcess) -> Iterator[FuzzTargets]:
    with contextlib.closing(FuzzTargets(nobody)) as made:
        yield made


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", "HTTP 400"),
        (b"", "closed without an answer"),
        (b"HTTP/1.1 500 Internal Server Error\r\n\r\nsomething", None),
        (b"HTTP/1.1 503 Service Unavailable\r\n\r\n", None),
        (b"nonsense", None),
    ],
    ids=["refused", "closed", "internal", "unavailable", "no-http"],
)
def test_http_answers_are_judged(
    nobody: GatewayProcess, targets: FuzzTargets, answer: bytes, outcome: str | None
) -> None:
    with http_server(answer, nobody.ports["http"]):
        if outcome is not None:
            assert targets.http_pictures(random.Random(1)) == outcome
        else:
            with pytest.raises(AssertionError, match=r"HTTP 50\d|not an HTTP answer"):
                targets.http_pictures(random.Random(1))


@pytest.mark.parametrize(
    ("code", "details", "outcome"),
    [
        (grpc.StatusCode.INVALID_ARGUMENT, "images[0] of 1", "INVALID_ARGUMENT"),
        (grpc.StatusCode.UNKNOWN, "Unexpected <class 'DecodeError'>", None),
        (grpc.StatusCode.INTERNAL, "it broke", None),
        (grpc.StatusCode.UNAVAILABLE, "Triton is gone", None),
    ],
)
def test_grpc_answers_are_judged(
    nobody: GatewayProcess, targets: FuzzTargets, code: grpc.StatusCode, details: str, outcome: str | None
) -> None:
    with grpc_server(code, details, nobody.ports["grpc"]):
        if outcome is not None:
            assert targets.grpc_tensors(random.Random(1)) == outcome
        else:
            with pytest.raises(AssertionError, match=f"{code.name}: {details}"):
                targets.grpc_tensors(random.Random(1))


def test_a_gateway_that_is_gone_is_an_error_and_no_outcome(nobody: GatewayProcess, targets: FuzzTargets) -> None:
    with pytest.raises(OSError, match="refused"):
        targets.http_pictures(random.Random(1))
    with pytest.raises(AssertionError, match="UNAVAILABLE"):
        targets.grpc_tensors(random.Random(1))


def test_what_is_held_is_counted(nobody: GatewayProcess) -> None:
    region = SHARED_MEMORY / f"outpost_{StateFolder(nobody.state_dir).key}_region"
    with tempfile.TemporaryFile() as first, tempfile.TemporaryFile() as second:
        files = (first.fileno(), second.fileno())
        nobody.process = subprocess.Popen(["sleep", "60"], stdin=subprocess.DEVNULL, pass_fds=files)
    try:
        region.write_bytes(b"x" * 4096)
        held = read_held(nobody, 7)
    finally:
        nobody.kill()
        region.unlink(missing_ok=True)
    assert (held.requests, held.descriptors, held.regions) == (7, {"gateway": 5}, {region.name: 4096})
    assert held.rss_bytes["gateway"] > 0


def test_an_answer_for_another_frame_is_noticed() -> None:
    frame = KnownFrame(208, 640, 480)
    score, box = 0.9 * 208 / 255, [160.0, 120.0, 480.0, 360.0]
    assert frame.fits(score + 0.005, box)
    assert not frame.fits(0.9 * 224 / 255, box)
    assert not frame.fits(score, [80.0, 60.0, 240.0, 180.0])
