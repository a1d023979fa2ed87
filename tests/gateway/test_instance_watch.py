import os
import signal
import subprocess
import sys

from gateway.supervision.child_processes import ChildProcess, children_of, processes
from gateway.supervision.instance_watch import InstanceWatch, model_of

COMMAND = ("/b/triton_python_backend_stub", "/state/repository/defects-1.0.0_x86-cpu/1/model.onnx", "region", "1")


def stub(pid: int, state: str, command: tuple[str, ...] = COMMAND) -> ChildProcess:
    return ChildProcess(pid, state, command)


def test_the_model_is_read_from_the_command_line() -> None:
    assert model_of(COMMAND) == "defects-1.0.0_x86-cpu"
    assert model_of(()) == ""
    assert model_of(("stub", "model.py")) == ""


def test_a_dead_process_is_reported_once_though_its_command_line_is_gone() -> None:
    watch = InstanceWatch()
    assert watch.look([stub(1, "S"), stub(2, "R")]) == ()
    broken = watch.look([stub(1, "Z", ()), stub(2, "S")])
    assert [(one.pid, one.model) for one in broken] == [(1, "defects-1.0.0_x86-cpu")]
    assert "died" in broken[0].reason
    assert watch.look([stub(1, "Z", ()), stub(2, "S")]) == ()


def test_a_stopped_process_is_reported() -> None:
    watch = InstanceWatch()
    assert [one.reason for one in watch.look([stub(5, "T")])] == ["backend process 5 was stopped"]


def test_a_number_that_is_used_again_is_a_new_process() -> None:
    watch = InstanceWatch()
    watch.look([stub(1, "S")])
    assert len(watch.look([stub(1, "Z", ())])) == 1
    watch.look([])
    watch.look([stub(1, "S")])
    assert len(watch.look([stub(1, "Z", ())])) == 1


def test_real_children_are_seen_with_their_states() -> None:
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    try:
        assert child.pid in {one.pid for one in children_of(os.getpid())}
        child.send_signal(signal.SIGSTOP)
        os.waitid(os.P_PID, child.pid, os.WSTOPPED | os.WNOWAIT)
        assert {one.pid: one.state for one in children_of(os.getpid())}[child.pid] == "T"
        child.kill()
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
        assert {one.pid: one.state for one in children_of(os.getpid())}[child.pid] == "Z"
        assert [one.state for one in processes([child.pid])] == ["Z"]
    finally:
        child.kill()
        child.wait()
    assert processes([child.pid]) == ()
