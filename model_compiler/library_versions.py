"""The libraries that decide what a compilation gives."""

from importlib.metadata import version

_LIBRARIES = ("outpost", "onnx", "onnxruntime", "openvino", "numpy", "opencv-python-headless")


def library_versions() -> dict[str, str]:
    """Their versions by name."""
    return {name: version(name) for name in _LIBRARIES}
