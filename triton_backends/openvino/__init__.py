"""The Triton backend called `openvino`."""
