"""The kernels as a GPU gets them: the simulator runs them as Python, and checks no types."""

import os
import subprocess
import sys
from pathlib import Path


def test_every_kernel_is_typed_and_lowered_without_floats_of_64_bits() -> None:
    root = Path(__file__).parents[3]
    environment = os.environ | {"NUMBA_ENABLE_CUDASIM": "0", "PYTHONPATH": str(root)}
    command = [sys.executable, "-m", "tests.vision.cuda.lowered_kernels"]
    done = subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    found = [line.rsplit(" ", 1) for line in done.stdout.splitlines()]
    names = ["place uint8", "place float32", "score_anchors", "collect_best", "compare_candidates", "suppress_repeats"]
    assert [name for name, _ in found] == names
    assert {name: count for name, count in found if count != "0"} == {}
