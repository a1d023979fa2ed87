"""Numba is an extra: the gateway starts without it."""

import subprocess
import sys

WITHOUT_NUMBA = """
import sys
sys.modules["numba"] = None  # an import of it fails
import gateway.app, gateway.commands.check, gateway.commands.serve, gateway.cuda.device_frame_memory
assert not [name for name in sys.modules if name.startswith("vision.cuda")]
"""


def test_nothing_imports_it_before_a_gpu_is_chosen() -> None:
    ended = subprocess.run([sys.executable, "-c", WITHOUT_NUMBA], capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
