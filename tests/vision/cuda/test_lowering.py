"""The kernels as a GPU gets them: the simulator runs them as Python, and checks no types."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

KERNELS = ("place uint8", "place float32", "score_anchors", "collect_best", "compare_candidates", "suppress_repeats")
_REGISTERS_FOR_HALF_OF_A_MULTIPROCESSOR = 128
"""Of 65,536, for 512 threads: fewer of them do not hide how long memory takes."""


@pytest.fixture(scope="module")
def report() -> dict[str, Any]:
    root = Path(__file__).parents[3]
    environment = os.environ | {"NUMBA_ENABLE_CUDASIM": "0", "PYTHONPATH": str(root)}
    command = [sys.executable, "-m", "tests.vision.cuda.lowered_kernels"]
    done = subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_nvidias_compiler_makes_machine_code_of_every_kernel_for_every_generation(report: dict[str, Any]) -> None:
    assert tuple(report) == KERNELS
    for kernel in KERNELS:
        for generation, found in report[kernel]["assembled"].items():
            assert found["spilled_bytes"] == 0, (kernel, generation)
            assert 0 < found["registers"] <= _REGISTERS_FOR_HALF_OF_A_MULTIPROCESSOR, (kernel, generation)


def test_no_kernel_computes_with_floats_of_64_bits(report: dict[str, Any]) -> None:
    assert {kernel: found["wide_floats"] for kernel, found in report.items()} == dict.fromkeys(KERNELS, 0)
