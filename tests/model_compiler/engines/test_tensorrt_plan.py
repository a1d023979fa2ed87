"""What TensorRT's builder is told, word for word."""

from pathlib import Path

import pytest

from model_compiler.engines.errors import EngineBuildFailed, UnsupportedByRuntime
from model_compiler.engines.tensorrt_builder import build_plan
from model_compiler.engines.tensorrt_plan import TensorRtPlan
from model_compiler.graph.onnx_model import GraphInterface, TensorFacts, interface_of
from tests.model_compiler.engines.fake_tensorrt import FakeParserError, FakeTensorRt
from tests.model_compiler.small_graphs import classifier, graph, node

GOLDEN = Path(__file__).parent / "golden"
MODEL = classifier().SerializeToString()


def plan(version: str = "10.13.3", batch: int | None = None) -> TensorRtPlan:
    pixels = TensorFacts("images", "UINT8", (batch, 320, 416, 3))
    return TensorRtPlan.of(GraphInterface((pixels,), ()), (1, 4), version=version)


@pytest.mark.parametrize("major", ["10", "11"])
def test_the_plan_is_the_golden_one(major: str) -> None:
    assert plan(f"{major}.4.1").text() == (GOLDEN / f"tensorrt_{major}_plan.txt").read_text()


@pytest.mark.parametrize("major", ["10", "11"])
def test_the_builder_is_told_what_the_plan_says(major: str) -> None:
    api = FakeTensorRt(__version__=f"{major}.4.1")
    built = build_plan(api, plan(api.__version__), MODEL)
    assert "\n".join(api.calls) + "\n" == (GOLDEN / f"tensorrt_{major}_calls.txt").read_text()
    assert built == b"plan"


def test_fixed_shapes_need_no_profile() -> None:
    api = FakeTensorRt()
    build_plan(api, plan(batch=1), MODEL)
    assert not [call for call in api.calls if "rofile" in call]


def test_an_open_axis_besides_the_batch_is_refused() -> None:
    interface = interface_of(graph([node("Relu", ["x"], ["y"])], size=["batch", 3, "h", 8]))
    with pytest.raises(UnsupportedByRuntime, match=r"'x' FP32 \[\?,3,\?,8\] has open axes besides the first"):
        TensorRtPlan.of(interface, (1,), version="10.0")


def test_older_versions_are_refused() -> None:
    with pytest.raises(UnsupportedByRuntime, match=r"TensorRT 8\.6\.1 has no strong typing"):
        plan("8.6.1")


def test_every_complaint_of_the_parser_is_told_with_its_node() -> None:
    errors = (FakeParserError("unsupported pads", 2), FakeParserError("weights are odd", -1))
    with pytest.raises(UnsupportedByRuntime) as caught:
        build_plan(FakeTensorRt(errors=errors), plan(), MODEL)
    assert caught.value.node == "node 'second' (Conv, gives 'c2')"
    assert "node 'second' (Conv, gives 'c2'): unsupported pads; weights are odd" in str(caught.value)


def test_no_engine_is_an_error() -> None:
    with pytest.raises(EngineBuildFailed, match="the builder gave nothing"):
        build_plan(FakeTensorRt(builds=False), plan(), MODEL)


def test_an_invalid_profile_is_an_error() -> None:
    with pytest.raises(EngineBuildFailed, match=r"it does not take the profile .*images"):
        build_plan(FakeTensorRt(takes_profiles=False), plan(), MODEL)
