"""Processes are killed and stopped under load; files are broken. Each against the real Triton."""

import json
import os
import shutil
import signal
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any, Self

import grpc
import pytest
from tritonclient.grpc import service_pb2, service_pb2_grpc

from contracts.active_models import ActiveModel, ActiveModels
from contracts.build_manifest import BuildManifest
from gateway.atomic_file import write_atomically
from gateway.supervision.child_processes import ChildProcess
from tests.system.conftest import Measured
from tests.system.gateway_process import GatewayProcess, wait_for
from tests.system.sizes import Sizes
from tests.system.small_builds import brightness_detector, card, write_build

STABLE, NEWER, BROKEN = "tiny-1.0.0_x86-cpu", "tiny-1.1.0_x86-cpu", "tiny-2.0.0_x86-cpu"
STEADY_SECONDS = 31.0
"""A Triton that ended sooner after its start is started again after a pause, each time a longer one."""
_PAUSE_SECONDS = 0.02  # of a caller whose request failed


@pytest.fixture
def fragile(tmp_path: Path) -> Iterator[GatewayProcess]:
    """A gateway of the test's own, two instances per build."""
    seed = tmp_path / "seed"
    seed.mkdir()
    write_build(seed, card("tiny"), brightness_detector().SerializeToString())
    process = GatewayProcess(tmp_path / "state", seed, instances=2, drain_seconds=1)
    process.start()
    try:
        process.wait_until_ready()
        yield process
    finally:
        process.close()


@dataclass
class Answers:
    """What a load saw."""

    codes: Counter[str] = field(default_factory=Counter)
    wrong: int = 0
    slowest_seconds: float = 0.0
    last_failure_at: float = 0.0

    def after_kills(self, victim: str, seconds: list[float]) -> dict[str, Any]:
        """For the report: who was killed, after how many seconds each time all was well again, what callers saw."""
        failures = {code: count for code, count in self.codes.items() if code != "OK"}
        answered = {"answered": self.codes["OK"], "wrong": self.wrong, "failures": failures}
        return {"victim": victim, "seconds": seconds} | answered


class Load:
    """Concurrent callers who send one frame after the other."""

    def __init__(self, address: str, frame: bytes, callers: int = 4, timeout_seconds: float = 10.0) -> None:
        self._address = address
        self._request = service_pb2.ModelInferRequest(model_name="tiny")
        self._request.inputs.add(name="images", datatype="BYTES", shape=[1]).contents.bytes_contents.append(frame)
        self._timeout_seconds = timeout_seconds
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._call) for _ in range(callers)]
        self._lock = threading.Lock()
        self.answers = Answers()

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _call(self) -> None:
        with grpc.insecure_channel(self._address, options=[("grpc.use_local_subchannel_pool", 1)]) as channel:
            stub = service_pb2_grpc.GRPCInferenceServiceStub(channel)
            while not self._stop.is_set():
                if not self._one(stub):
                    self._stop.wait(_PAUSE_SECONDS)

    def _one(self, stub: service_pb2_grpc.GRPCInferenceServiceStub) -> bool:
        began_at = time.monotonic()
        try:
            answer = stub.ModelInfer(self._request, timeout=self._timeout_seconds)
            code, right = "OK", answer.raw_output_contents[3] == b"\x01\0\0\0"
        except grpc.RpcError as error:
            code, right = error.code().name, True
        now = time.monotonic()
        with self._lock:
            self.answers.codes[code] += 1
            self.answers.wrong += not right
            self.answers.slowest_seconds = max(self.answers.slowest_seconds, now - began_at)
            if code != "OK":
                self.answers.last_failure_at = now
        return code == "OK"

    def wait_for_answers(self, count: int, timeout_seconds: float = 30.0) -> None:
        goal = self.answers.codes["OK"] + count
        wait_for(lambda: self.answers.codes["OK"] >= goal, timeout_seconds, lambda: str(self.answers))


@pytest.mark.soak
def test_kill_of_triton_fails_fast_and_service_returns(
    fragile: GatewayProcess, grey_jpeg: bytes, sizes: Sizes, measured: Measured
) -> None:
    returned_after: list[float] = []
    with Load(fragile.grpc_address, grey_jpeg, callers=24) as load:
        for number in range(sizes.process_kills):
            time.sleep(STEADY_SECONDS if number else 0.0)
            load.wait_for_answers(100)
            old = fragile.triton()
            killed_at = time.monotonic()
            os.kill(old.pid, signal.SIGKILL)
            wait_for(lambda: not fragile.is_ready(), 5.0, fragile.log)
            wait_for(fragile.is_ready, 60.0, fragile.log)
            load.wait_for_answers(50)
            returned_after.append(load.answers.last_failure_at - killed_at)
            assert fragile.triton().pid != old.pid
    measured("kills", load.answers.after_kills("Triton below a gateway", returned_after))
    assert set(load.answers.codes) <= {"OK", "UNAVAILABLE"}, load.answers
    assert load.answers.codes["UNAVAILABLE"] >= 1
    assert load.answers.wrong == 0
    assert load.answers.slowest_seconds < 5.0, load.answers
    assert max(returned_after) < 5.0, load.answers
    assert fragile.process is not None
    assert fragile.process.poll() is None
    assert fragile.metric("outpost_triton_starts") == 1 + sizes.process_kills
    assert fragile.metric("outpost_shared_memory") == 1
    assert fragile.stop() == 0
    assert left_in_shared_memory(fragile) == []


@pytest.mark.soak
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP], ids=["killed", "stopped"])
def test_loss_of_one_backend_process_is_not_seen_by_callers(
    fragile: GatewayProcess, grey_jpeg: bytes, number: signal.Signals, sizes: Sizes, measured: Measured
) -> None:
    full_after: list[float] = []
    with Load(fragile.grpc_address, grey_jpeg) as load:
        for _ in range(sizes.process_kills):
            load.wait_for_answers(50)
            wait_for(lambda: len(alive(fragile)) == 2, 20.0, fragile.log)
            victim, other = alive(fragile)
            before = load.answers.codes["OK"]
            lost_at = time.monotonic()
            os.kill(victim.pid, number)
            load.wait_for_answers(20)  # the other instance keeps serving
            assert fragile.is_ready()
            wait_for(partial(replaced, fragile, {victim.pid, other.pid}), 60.0, fragile.log)
            full_after.append(time.monotonic() - lost_at)
            load.wait_for_answers(50)
            assert load.answers.codes["OK"] > before
    said = "a backend process, killed" if number == signal.SIGKILL else "a backend process, stopped"
    measured("kills", load.answers.after_kills(said, full_after))
    assert set(load.answers.codes) == {"OK"}, load.answers
    assert load.answers.wrong == 0
    assert max(full_after) < 5.0
    assert fragile.stop() == 0
    assert left_in_shared_memory(fragile) == []


def alive(gateway: GatewayProcess) -> list[ChildProcess]:
    return [stub for stub in gateway.stubs() if stub.state not in "ZT"]


def is_gone(pid: int) -> bool:
    return not Path(f"/proc/{pid}").exists()


def replaced(gateway: GatewayProcess, old: set[int]) -> bool:
    """Two new instances live, and the build is whole again."""
    return len({stub.pid for stub in alive(gateway)} - old) == 2 and not gateway.status()["builds"][STABLE]["reason"]


def test_readiness_is_lost_with_the_last_instance(fragile: GatewayProcess) -> None:
    triton = fragile.triton().pid
    os.kill(triton, signal.SIGSTOP)  # nothing can be repaired now
    try:
        for stub in fragile.stubs():
            os.kill(stub.pid, signal.SIGKILL)
        wait_for(lambda: not fragile.is_ready(), 10.0, lambda: json.dumps(fragile.status()))
        assert "died" in fragile.status()["builds"][STABLE]["reason"]
    finally:
        os.kill(triton, signal.SIGCONT)
    wait_for(fragile.is_ready, 30.0, fragile.log)


@pytest.mark.soak
def test_kill_of_the_gateway_leaves_nothing_that_hinders_the_next_start(
    fragile: GatewayProcess, grey_jpeg: bytes, sizes: Sizes, measured: Measured
) -> None:
    back_after: list[float] = []
    with Load(fragile.grpc_address, grey_jpeg) as load:
        for _ in range(sizes.process_kills):
            triton = fragile.triton().pid
            load.wait_for_answers(20)
            killed_at = time.monotonic()
            fragile.kill()
            wait_for(partial(is_gone, triton), 5.0)
            fragile.start()
            fragile.wait_until_ready()
            load.wait_for_answers(20)
            back_after.append(time.monotonic() - killed_at)
    measured("kills", load.answers.after_kills("the gateway with its Triton", back_after))
    assert load.answers.wrong == 0
    assert fragile.stop() == 0
    assert left_in_shared_memory(fragile) == []


def left_in_shared_memory(gateway: GatewayProcess) -> list[str]:
    from gateway.supervision.state_folder import StateFolder

    key = StateFolder(gateway.state_dir).key
    return [path.name for path in Path("/dev/shm").iterdir() if path.name.startswith(f"outpost_{key}")]


def activate(gateway: GatewayProcess, **builds: str) -> None:
    active = ActiveModels(models={"tiny": ActiveModel.model_validate(builds)})
    write_atomically(gateway.state_dir / "active.json", active.model_dump_json())


def test_a_new_build_is_taken_up_without_a_failed_request(
    fragile: GatewayProcess, grey_jpeg: bytes, tmp_path: Path
) -> None:
    write_build(tmp_path / "new", card("tiny", "1.1.0"), brightness_detector(score=0.8).SerializeToString())
    shutil.move(tmp_path / "new" / NEWER, fragile.state_dir / "repository" / NEWER)
    with Load(fragile.grpc_address, grey_jpeg) as load:
        load.wait_for_answers(20)
        activate(fragile, stable=NEWER, previous=STABLE)
        wait_for(lambda: fragile.metric("outpost_frames_total", build=NEWER) >= 10, 30.0, fragile.log)
        activate(fragile, stable=STABLE)
        wait_for(lambda: NEWER not in fragile.status()["builds"], 30.0, fragile.log)
        load.wait_for_answers(20)
    assert set(load.answers.codes) == {"OK"}, load.answers


def test_a_build_that_does_not_load_is_stood_in_for(fragile: GatewayProcess, grey_jpeg: bytes, tmp_path: Path) -> None:
    write_build(tmp_path / "new", card("tiny", "2.0.0"), b"this is not ONNX")
    shutil.move(tmp_path / "new" / BROKEN, fragile.state_dir / "repository" / BROKEN)
    with Load(fragile.grpc_address, grey_jpeg) as load:
        load.wait_for_answers(20)
        activate(fragile, stable=BROKEN, previous=STABLE)
        wait_for(lambda: bool(fragile.status()["builds"].get(BROKEN, {}).get("reason")), 30.0, fragile.log)
        load.wait_for_answers(20)
    assert set(load.answers.codes) == {"OK"}, load.answers
    assert "does not load" in fragile.status()["builds"][BROKEN]["reason"]
    assert fragile.metric("outpost_build_ready", build=BROKEN) == 0
    assert fragile.metric("outpost_build_ready", build=STABLE) == 1


def test_a_malformed_active_file_changes_nothing(fragile: GatewayProcess, grey_jpeg: bytes) -> None:
    with Load(fragile.grpc_address, grey_jpeg) as load:
        (fragile.state_dir / "active.json").write_text('{"models": {"tiny": {"stable": "not a build"}}}')
        wait_for(lambda: bool(fragile.status()["active_file"]["problem"]), 10.0, fragile.log)
        load.wait_for_answers(20)
        assert fragile.metric("outpost_active_file_ok") == 0
        activate(fragile, stable=STABLE)
        wait_for(lambda: not fragile.status()["active_file"]["problem"], 10.0, fragile.log)
    assert set(load.answers.codes) == {"OK"}, load.answers


def test_a_build_with_a_changed_byte_is_not_loaded(fragile: GatewayProcess, grey_jpeg: bytes, tmp_path: Path) -> None:
    folder = tmp_path / "new" / NEWER
    write_build(folder.parent, card("tiny", "1.1.0"), brightness_detector().SerializeToString())
    files = {name: sha256((folder / name).read_bytes()).hexdigest() for name in ("config.pbtxt", "1/model.onnx")}
    (folder / "manifest.json").write_text(BuildManifest(build=NEWER, files=files).model_dump_json())
    model = bytearray((folder / "1" / "model.onnx").read_bytes())
    model[-20] ^= 1
    (folder / "1" / "model.onnx").write_bytes(model)
    shutil.move(folder, fragile.state_dir / "repository" / NEWER)
    with Load(fragile.grpc_address, grey_jpeg) as load:
        activate(fragile, stable=NEWER, previous=STABLE)
        wait_for(lambda: bool(fragile.status()["builds"].get(NEWER, {}).get("reason")), 30.0, fragile.log)
        load.wait_for_answers(20)
    assert "1/model.onnx differs from the manifest" in fragile.status()["builds"][NEWER]["reason"]
    assert set(load.answers.codes) == {"OK"}, load.answers
