import os
import subprocess
import sys

from model_compiler.evaluation.process_usage import cpu_seconds_of_tree, peak_memory_of_model

BUSY = "import sys; a = bytearray(40_000_000); del a; sum(range(3_000_000)); print(1, flush=True); sys.stdin.read()"
GONE = 2**22 + 1
"""No process has this id: it is above the kernel's largest."""


def test_cpu_and_peak_memory_of_a_backend_process() -> None:
    before = cpu_seconds_of_tree(os.getpid())
    command = [sys.executable, "-c", BUSY, "/repository/defects-1.0.0_x86-cpu/1/model.onnx"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as backend:
        assert backend.stdout is not None
        backend.stdout.readline()
        peak = peak_memory_of_model(os.getpid(), "defects-1.0.0_x86-cpu")
        assert peak is not None
        assert peak > 40_000_000  # it was given back, but it was needed
        assert cpu_seconds_of_tree(os.getpid()) > before
        assert peak_memory_of_model(os.getpid(), "defects-1.0.0") is None
        backend.communicate()


def test_a_process_that_is_gone() -> None:
    assert cpu_seconds_of_tree(GONE) == 0
    assert peak_memory_of_model(GONE, "defects-1.0.0_x86-cpu") is None
