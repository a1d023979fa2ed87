"""A trainer as a child process: its result is checked, and it does not outlive the compiler."""

import hashlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from contracts.training_job import TrainingJob
from model_compiler.errors import TrainerFailed
from model_compiler.parent_death import ending_with_parent
from model_compiler.trainer import TrainerCommand

DONE = """
import hashlib, json, pathlib, sys
job = json.loads(pathlib.Path(sys.argv[2]).read_text())
out = pathlib.Path(job["output"])
result = {"action": job["action"], "parameter_count": 1, "parity": {"1": 1e-6, "8": 1e-4}}
for kind, name in (("weights", "weights.npz"), ("onnx", "model.onnx")):
    (out / name).write_bytes(name.encode())
    result |= {kind: name, f"{kind}_sha256": hashlib.sha256(name.encode()).hexdigest()}
(out / "result.json").write_text(json.dumps(result))
"""
WAITS = """
import os, pathlib, sys, time
pathlib.Path(sys.argv[2]).with_name("pid").write_text(str(os.getpid()))
time.sleep(120)
"""
COMPILER = """
import sys
from pathlib import Path
from contracts.training_job import TrainingJob
from model_compiler.trainer import TrainerCommand
job = TrainingJob(action="export", network="n", weights=Path("w"), output=Path(sys.argv[2]))
TrainerCommand([sys.executable, sys.argv[1]]).work(job)
"""


@pytest.fixture
def job(tmp_path: Path) -> TrainingJob:
    return TrainingJob(action="export", network="n", weights=Path("w"), output=tmp_path / "job")


def trainer(tmp_path: Path, *program: str) -> TrainerCommand:
    (tmp_path / "trainer.py").write_text("\n".join(program))
    return TrainerCommand([sys.executable, str(tmp_path / "trainer.py")])


def test_a_result_whose_files_are_whole_is_taken(job: TrainingJob, tmp_path: Path) -> None:
    result = trainer(tmp_path, DONE).work(job)
    assert result.onnx_sha256 == hashlib.sha256(b"model.onnx").hexdigest()


@pytest.mark.parametrize("name", ["weights.npz", "model.onnx"])
@pytest.mark.parametrize(
    ("damage", "problem"),
    [("write_bytes(b'cut')", "was cut short or replaced: its sha256 is .* says"), ("unlink()", "cannot be read")],
)
def test_a_file_that_is_not_what_the_result_says_is_refused(
    job: TrainingJob, tmp_path: Path, name: str, damage: str, problem: str
) -> None:
    with pytest.raises(TrainerFailed, match=rf"{name}.*{problem}.*; delete {job.output} and run the same command"):
        trainer(tmp_path, DONE, f"(out / {name!r}).{damage}").work(job)


@pytest.mark.parametrize("content", ["", '{"action": "exp', "[]", "\\xff"])
def test_a_damaged_result_is_refused(job: TrainingJob, tmp_path: Path, content: str) -> None:
    damage = f"(out / 'result.json').write_bytes({content.encode('latin-1')!r})"
    with pytest.raises(TrainerFailed, match=f"its result.json cannot be read.*; delete {job.output} and run"):
        trainer(tmp_path, DONE, damage).work(job)


CHANGED = """
result |= {change}
(out / "result.json").write_text(json.dumps(result))
"""


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ("{'action': 'prune'}", "its result.json is that of another action, 'prune'; delete"),
        ("{'onnx': None, 'onnx_sha256': None}", "its result.json cannot be read: .*needs onnx and onnx_sha256"),
        ("{'parity': {}}", "does not say by how much the ONNX differs from the network"),
        (
            "{'parity': {1: 1e-6, 8: 1.1e-4}}",
            r"the ONNX differs from the network by 1.1e-04 at batch 8 \(1e-04 is allowed\)",
        ),
        ("{'parity': {1: float('nan')}}", "differs from the network by nan at batch 1"),
    ],
)
def test_a_result_that_is_not_that_of_the_job_is_refused(
    job: TrainingJob, tmp_path: Path, change: str, problem: str
) -> None:
    with pytest.raises(TrainerFailed, match=problem):
        trainer(tmp_path, DONE, CHANGED.format(change=change)).work(job)


def test_a_child_whose_parent_ended_before_it_asked_for_the_signal_ends_at_once() -> None:
    command = ending_with_parent([sys.executable, "-c", ""])
    assert subprocess.run(command, check=False).returncode == 0
    of_another = [str(os.getpid() + 1) if part == str(os.getpid()) else part for part in command]
    assert subprocess.run(of_another, check=False).returncode == 1


def test_kill_9_of_the_compiler_ends_the_trainer(job: TrainingJob, tmp_path: Path) -> None:
    trainer(tmp_path, WAITS)
    command = [sys.executable, "-c", COMPILER, str(tmp_path / "trainer.py"), str(job.output)]
    compiler = subprocess.Popen(command, cwd=Path(__file__).parents[2])
    until = time.monotonic() + 120
    while not (job.output / "pid").exists() or not (job.output / "pid").read_text():
        assert compiler.poll() is None
        assert time.monotonic() < until
        time.sleep(0.05)
    pid = int((job.output / "pid").read_text())
    assert lives(pid)
    os.kill(compiler.pid, signal.SIGKILL)
    compiler.wait()
    until = time.monotonic() + 20
    while lives(pid):
        assert time.monotonic() < until, "the trainer outlives the compiler"
        time.sleep(0.05)


def lives(pid: int) -> bool:
    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False
