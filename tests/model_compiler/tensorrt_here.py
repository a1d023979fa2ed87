"""Whether TensorRT and a GPU are on the machine that runs the tests."""

import pytest

from model_compiler.engines.catalogue import engine_for

NEEDS_NO_TENSORRT = pytest.mark.skipif(
    engine_for("tensorrt").missing() is None, reason="TensorRT can run here, so that plans are built"
)
