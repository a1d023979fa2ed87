"""The libraries and the code that decide what a compilation gives."""

import hashlib
from functools import cache
from importlib.metadata import version
from pathlib import Path

_LIBRARIES = ("outpost", "onnx", "onnxruntime", "openvino", "numpy", "opencv-python-headless")


def library_versions() -> dict[str, str]:
    """Their versions by name."""
    return {name: version(name) for name in _LIBRARIES}


@cache
def code_sha256() -> str:
    """Identity of this package's own code, which changes more often than its version while it is worked on."""
    folder = Path(__file__).parent
    whole = hashlib.sha256()
    for path in sorted(folder.rglob("*.py")):
        whole.update(f"{path.relative_to(folder)}\0".encode() + path.read_bytes())
    return whole.hexdigest()
