"""TensorRT as the compiler sees it: with a GPU it proves the graph, without one it says what is missing."""

import numpy as np
import onnx
import pytest
from onnx import TensorProto

from contracts.model_card import InputSpec
from model_compiler.engines.catalogue import engine_for
from model_compiler.engines.cuda_device import CudaDevice, NoCudaDevice
from model_compiler.engines.engine import Engine
from model_compiler.engines.errors import EngineUnavailable, UnsupportedByRuntime, UnsupportedPrecision
from model_compiler.engines.onnxruntime_engine import OnnxRuntimeEngine
from model_compiler.engines.tensorrt_engine import TensorRtEngine
from model_compiler.engines.tensorrt_graph import for_tensorrt
from model_compiler.engines.tensorrt_host import TensorRtHost
from model_compiler.stages.graft import graft_detector
from tests.model_compiler.engines.fake_tensorrt import FakeTensorRt
from tests.model_compiler.small_graphs import classifier, graph, node, quantized
from tests.model_compiler.tiny_detectors import LARGE, build, pixels

MODEL = classifier().SerializeToString()
SAMPLES = np.random.default_rng(3).standard_normal((4, 3, 8, 8)).astype(np.float32)
NOWHERE = TensorRtEngine("there is no NVIDIA driver (libcuda.so.1)", (1, 4))


def engine(api: FakeTensorRt) -> TensorRtEngine:
    return TensorRtEngine(TensorRtHost(api, CudaDevice("Orin", "8.7", "12.6")), (1, 4))


def test_without_a_gpu_it_says_what_is_missing_and_what_is_done() -> None:
    with pytest.raises(EngineUnavailable) as caught:
        NOWHERE.prepare(MODEL, "auto")
    assert str(caught.value) == (
        "tensorrt cannot run here: there is no NVIDIA driver (libcuda.so.1). Everything before this stage is done and"
        " kept: run the same command on a machine of the class, and it goes on from here. A device needs no plan in its"
        " build, it compiles one itself from the packaged ONNX"
    )
    assert (NOWHERE.missing(), NOWHERE.version()) == (caught.value.missing, "tensorrt")


def test_with_a_gpu_a_plan_is_built_and_the_graph_is_packaged() -> None:
    api = FakeTensorRt()
    tensorrt = engine(api)
    assert tensorrt.missing() is None
    assert tensorrt.version() == "tensorrt 10.13.3.9, compute capability 8.7, CUDA 12.6"
    assert tensorrt.prepare(MODEL, "f32") == MODEL
    assert api.calls[-1] == "Builder.build_serialized_network(network, config)"


def test_what_was_proved_on_one_machine_is_not_taken_for_another() -> None:
    orin, other = CudaDevice("Orin", "8.7", "12.6"), FakeTensorRt(__version__="10.14.0")
    hosts = [
        TensorRtHost(FakeTensorRt(), orin),
        TensorRtHost(other, orin),
        TensorRtHost(FakeTensorRt(), CudaDevice("Orin", "8.9", "12.6")),
        TensorRtHost(FakeTensorRt(), CudaDevice("Orin", "8.7", "12.8")),
    ]
    assert len({TensorRtEngine(host, (1, 4)).version() for host in hosts}) == 4


def test_precision_is_written_in_the_graph() -> None:
    with pytest.raises(UnsupportedPrecision, match=r"'bf16': precision is written into the graph .*; use auto or f32"):
        NOWHERE.prepare(MODEL, "bf16")


def test_plans_are_run_by_triton_only() -> None:
    for tensorrt, missing in ((NOWHERE, "no NVIDIA driver"), (engine(FakeTensorRt()), "by Triton's TensorRT backend")):
        with pytest.raises(EngineUnavailable, match=missing):
            tensorrt.open(MODEL, "auto", 1)


@pytest.mark.parametrize("scheme", ["u8s8", "s8"])
def test_the_graph_is_checked_before_anything_is_missed(scheme: str) -> None:
    off_centre = quantized(classifier(), np.abs(SAMPLES), scheme=scheme).SerializeToString()
    with pytest.raises(UnsupportedByRuntime, match=r"node 'x_QuantizeLinear' .*TensorRT takes int8 around 0"):
        NOWHERE.prepare(off_centre, "auto")


def test_symmetric_integers_pass_unchanged() -> None:
    model = quantized(classifier(), SAMPLES, scheme="s8s8").SerializeToString()
    assert for_tensorrt(model) == model


@pytest.mark.parametrize("color", ["rgb", "bgr"])
@pytest.mark.parametrize("mean", [(0.0, 0.0, 0.0), (0.1, 0.2, 0.3)])
def test_pixels_are_cast_before_they_are_moved(color: str, mean: tuple[float, float, float]) -> None:
    spec = InputSpec.model_validate({"width": LARGE.width, "height": LARGE.height, "color": color, "mean": mean})
    grafted = graft_detector(build(LARGE), spec, "yolov8").SerializeToString()
    changed = for_tensorrt(grafted)
    parsed = onnx.load_model_from_string(changed)
    assert [item.op_type for item in parsed.graph.node if "images" in item.input] == ["Cast"]
    assert for_tensorrt(changed) == changed
    feeds = {"images": pixels(LARGE, 2)}
    runtime = OnnxRuntimeEngine()
    before, after = (runtime.open(model, "f32", 1).run(feeds)["candidates"] for model in (grafted, changed))
    assert np.array_equal(before, after)


def test_arithmetic_on_bytes_is_refused() -> None:
    nodes = [node("Max", ["x", "x"], ["m"], name="brightest"), node("Cast", ["m"], ["y"], to=TensorProto.FLOAT)]
    model = graph(nodes, datatype=TensorProto.UINT8).SerializeToString()
    with pytest.raises(UnsupportedByRuntime, match=r"node 'brightest' .*computes with the unsigned bytes of input 'x'"):
        for_tensorrt(model)


def test_what_only_onnxruntime_computes_is_refused() -> None:
    fused = node("FusedConv", ["x", "w"], ["y"], name="fused", domain="com.microsoft", activation="Relu")
    weights = {"w": np.ones((3, 3, 1, 1), np.float32)}
    model = graph([fused], weights=weights, opsets={"": 17, "com.microsoft": 1}).SerializeToString()
    with pytest.raises(UnsupportedByRuntime, match=r"node 'fused' .*operator FusedConv is ONNX Runtime's own"):
        for_tensorrt(model)


def test_the_catalogue_has_every_backend() -> None:
    engines: list[Engine] = [engine_for("onnxruntime"), engine_for("openvino"), engine_for("tensorrt")]
    assert [item.name for item in engines] == ["onnxruntime", "openvino", "tensorrt"]


def without_gpu() -> CudaDevice:
    raise NoCudaDevice("the NVIDIA driver finds no GPU (cuInit gave 100)")


def without_module() -> FakeTensorRt:
    raise ModuleNotFoundError("No module named 'tensorrt'")


def test_what_a_machine_has_is_found() -> None:
    orin = CudaDevice("Orin", "8.7", "12.6")
    host = TensorRtHost.found(lambda: orin, FakeTensorRt)
    assert isinstance(host, TensorRtHost)
    assert (host.device, host.kind) == (orin, "10.13.3.9, compute capability 8.7, CUDA 12.6")


def test_what_a_machine_lacks_is_named() -> None:
    assert TensorRtHost.found(without_gpu, FakeTensorRt) == "the NVIDIA driver finds no GPU (cuInit gave 100)"
    missing = TensorRtHost.found(lambda: CudaDevice("Orin", "8.7", "12.6"), without_module)
    assert isinstance(missing, str)
    assert missing.startswith("the Python module tensorrt cannot be imported (No module named 'tensorrt')")
