"""From an exported ONNX model to an immutable build directory that Triton serves."""
