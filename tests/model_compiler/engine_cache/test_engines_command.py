"""The verb ``engines`` as processes: without a GPU, killed in the middle of a plan, told to end, watching."""

import argparse
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from model_compiler.__main__ import main
from model_compiler.commands import engines
from model_compiler.engine_cache.engine_store import EngineStore
from model_compiler.engine_cache.errors import EnginesIncomplete
from model_compiler.engines.catalogue import tensorrt_host
from model_compiler.engines.tensorrt_host import TensorRtHost
from tests.model_compiler.engine_cache.tensorrt_repository import CLASS, DEFECTS, ORIN, PARTS, add_build, host
from tests.model_compiler.engines.fake_tensorrt import FakeTensorRt

REPOSITORY = Path(__file__).parents[3]


class Builders:
    """Processes that look at one state folder."""

    def __init__(self, folder: Path) -> None:
        self.state, self.slow = folder / "state", folder / "slow"
        self.store = EngineStore(self.state)
        self._started: list[subprocess.Popen[str]] = []

    def start(self, *flags: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "tests.model_compiler.engine_cache.builder_process"]
        process = subprocess.Popen(
            [*command, str(self.state), str(self.slow), *flags], cwd=REPOSITORY, stdout=subprocess.PIPE, text=True
        )
        self._started.append(process)
        return process

    def state_of(self, build: str = DEFECTS) -> str:
        status = self.store.status(build)
        return "none" if status is None else status.state

    def end(self) -> None:
        for process in self._started:
            process.kill()
            process.communicate()


@pytest.fixture
def builders(tmp_path: Path) -> Iterator[Builders]:
    made = Builders(tmp_path)
    add_build(made.state, DEFECTS)
    yield made
    made.end()


def wait_for(condition: Callable[[], bool], seconds: float = 30.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"still not so after {seconds} s"
        time.sleep(0.02)


@pytest.mark.parametrize("flags", [(), ("--watch",)])
def test_without_a_gpu_it_says_what_is_missing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], flags: tuple[str, ...]
) -> None:
    options = _options("--state-dir", str(tmp_path), *flags)
    missing = TensorRtHost.found(lambda: ORIN, _no_module)
    with pytest.raises(Exception, match=r"tensorrt cannot run here: .*start this where Triton runs"):
        engines.make_engines(options, missing)
    if isinstance(tensorrt_host(), str):
        assert main(["engines", "--state-dir", str(tmp_path), *flags]) == 1
        assert capsys.readouterr().err.startswith("outpost-compile: tensorrt cannot run here: ")
    assert not (tmp_path / "engines").exists()


def _no_module() -> FakeTensorRt:
    raise ImportError("No module named 'tensorrt'")


def _options(*arguments: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    engines.describe(parser)
    return parser.parse_args(arguments)


def test_it_ends_well_when_every_plan_is_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    add_build(tmp_path, DEFECTS)
    engines.make_engines(_options("--state-dir", str(tmp_path), "--declared", CLASS), host())
    assert capsys.readouterr().out.endswith(f"1 plans are ready for {CLASS}\n")


def test_it_ends_badly_when_a_plan_is_missing_and_names_it(tmp_path: Path) -> None:
    add_build(tmp_path, DEFECTS)
    options = _options("--state-dir", str(tmp_path), "--accepted-classes", f"other,{CLASS}")
    with pytest.raises(EnginesIncomplete, match=f"no plan for {DEFECTS}: TensorRT could not build a plan"):
        engines.make_engines(options, host(FakeTensorRt(builds=False)))


def test_a_killed_builder_s_work_is_done_anew(builders: Builders) -> None:
    builders.slow.touch()
    killed = builders.start()
    wait_for(lambda: builders.state_of() == "building")
    unfinished = builders.store.root / f".{'0' * 8}"
    unfinished.write_bytes(b"half a plan")
    killed.send_signal(signal.SIGKILL)
    killed.wait(30)
    assert builders.state_of() == "building"
    builders.slow.unlink()
    again = builders.start()
    said, _ = again.communicate(timeout=60)
    assert again.returncode == 0
    assert "the last attempt was ended" in said
    assert builders.state_of() == "ready"
    assert not unfinished.exists()


@pytest.mark.parametrize("busy", [True, False])
def test_a_watching_builder_ends_when_told(builders: Builders, *, busy: bool) -> None:
    if busy:
        builders.slow.touch()
    watching = builders.start("--watch")
    wait_for(lambda: builders.state_of() == ("building" if busy else "ready"))
    watching.send_signal(signal.SIGTERM)
    assert watching.wait(10) == 0


def test_a_watching_builder_sees_new_builds(builders: Builders) -> None:
    watching = builders.start("--watch")
    wait_for(lambda: builders.state_of() == "ready")
    add_build(builders.state, PARTS, factor=2.0)
    wait_for(lambda: builders.state_of(PARTS) == "ready")
    shutil.rmtree(builders.state / "repository")
    add_build(builders.state, PARTS, factor=2.0)
    wait_for(lambda: builders.state_of() == "none")
    assert watching.poll() is None


def test_a_watching_builder_waits_for_a_repository(tmp_path: Path) -> None:
    builders = Builders(tmp_path)
    try:
        watching = builders.start("--watch")
        assert watching.stdout is not None
        assert CLASS in watching.stdout.readline().partition("plans are made of TensorRT builds for")[2]
        assert "the builds cannot be read" in watching.stdout.readline()
        add_build(builders.state, DEFECTS)
        wait_for(lambda: builders.state_of() == "ready")
    finally:
        builders.end()


def test_a_second_builder_is_turned_away(builders: Builders) -> None:
    builders.slow.touch()
    builders.start("--watch")
    wait_for(lambda: builders.state_of() == "building")
    before = builders.store.status(DEFECTS)
    options = _options("--state-dir", str(builders.state), "--accepted-classes", CLASS)
    with pytest.raises(Exception, match="another outpost-compile engines works in"):
        engines.make_engines(options, host())
    assert builders.store.status(DEFECTS) == before
