"""ONNX graphs: read, checked, changed."""
