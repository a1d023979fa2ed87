from collections.abc import Iterator
from pathlib import Path

import onnx
import pytest
from onnx import TensorProto, helper

from tests.triton_backends.running_triton import BACKENDS, RunningTriton, Tensor, build_model, start, stop


@pytest.fixture(scope="session")
def triton(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningTriton]:
    running = start(tmp_path_factory.mktemp("triton"), "--disable-auto-complete-config")
    yield running
    stop(running)


@pytest.fixture
def own_triton(tmp_path: Path) -> Iterator[RunningTriton]:
    """A Triton that the test may break; it completes configurations."""
    running = start(tmp_path)
    yield running
    stop(running)


@pytest.fixture(params=BACKENDS)
def backend(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def simple_model() -> onnx.ModelProto:
    """Triton's example: sum and difference of two vectors."""
    return _simple("batch")


@pytest.fixture
def simple_model_of_one() -> onnx.ModelProto:
    """The same with a batch axis fixed to 1."""
    return _simple(1)


def _simple(batch: int | str) -> onnx.ModelProto:
    def tensor(name: str) -> Tensor:
        return name, TensorProto.INT32, [batch, 16]

    nodes = [
        helper.make_node("Add", ["INPUT0", "INPUT1"], ["OUTPUT0"]),
        helper.make_node("Sub", ["INPUT0", "INPUT1"], ["OUTPUT1"]),
    ]
    return build_model(nodes, [tensor("INPUT0"), tensor("INPUT1")], [tensor("OUTPUT0"), tensor("OUTPUT1")])
