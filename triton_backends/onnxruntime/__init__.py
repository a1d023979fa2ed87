"""The Triton backend called `onnxruntime`."""
