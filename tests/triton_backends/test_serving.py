"""Both backends inside the real Triton: what they serve."""

import functools
import queue
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper

from tests.triton_backends.running_triton import RunningTriton, build_model, request_inputs, wait_until

SIMPLE_IO = """
input [ { name: "INPUT0" data_type: TYPE_INT32 dims: [ 16 ] },
        { name: "INPUT1" data_type: TYPE_INT32 dims: [ 16 ] } ]
output [ { name: "OUTPUT1" data_type: TYPE_INT32 dims: [ 16 ] },
         { name: "OUTPUT0" data_type: TYPE_INT32 dims: [ 16 ] } ]
"""


def config(backend: str, body: str, *, max_batch_size: int = 8) -> str:
    return (
        f'backend: "{backend}" max_batch_size: {max_batch_size} instance_group [ {{ kind: KIND_CPU count: 1 }} ] {body}'
    )


@pytest.mark.parametrize("kind", ["simple_model", "simple_model_of_one"])
def test_every_batch_size_gives_the_rows_of_the_model(
    triton: RunningTriton, backend: str, kind: str, request: pytest.FixtureRequest
) -> None:
    name = f"{kind}-{backend}"
    triton.load(name, request.getfixturevalue(kind), config(backend, SIMPLE_IO))
    for rows in (1, 2, 8):
        first = np.arange(rows * 16, dtype=np.int32).reshape(rows, 16)
        second = np.full((rows, 16), 3, np.int32)
        outputs = triton.infer(name, {"INPUT0": first, "INPUT1": second})
        np.testing.assert_array_equal(outputs["OUTPUT0"], first + second)
        np.testing.assert_array_equal(outputs["OUTPUT1"], first - second)


def test_a_model_without_a_batch_axis_is_served_whole(
    triton: RunningTriton, backend: str, simple_model: onnx.ModelProto
) -> None:
    name = f"whole-{backend}"
    triton.load(name, simple_model, config(backend, SIMPLE_IO.replace("[ 16 ]", "[ 3, 16 ]"), max_batch_size=0))
    first, second = np.ones((3, 16), np.int32), np.full((3, 16), 5, np.int32)
    outputs = triton.infer(name, {"INPUT0": first, "INPUT1": second})
    np.testing.assert_array_equal(outputs["OUTPUT1"], np.full((3, 16), -4))


NUMBERS = {
    "bool": (TensorProto.BOOL, "TYPE_BOOL"),
    "uint8": (TensorProto.UINT8, "TYPE_UINT8"),
    "int8": (TensorProto.INT8, "TYPE_INT8"),
    "uint16": (TensorProto.UINT16, "TYPE_UINT16"),
    "int16": (TensorProto.INT16, "TYPE_INT16"),
    "uint32": (TensorProto.UINT32, "TYPE_UINT32"),
    "int32": (TensorProto.INT32, "TYPE_INT32"),
    "int64": (TensorProto.INT64, "TYPE_INT64"),
    "float16": (TensorProto.FLOAT16, "TYPE_FP16"),
    "float32": (TensorProto.FLOAT, "TYPE_FP32"),
    "float64": (TensorProto.DOUBLE, "TYPE_FP64"),
}


def test_every_number_type_passes_unchanged(triton: RunningTriton, backend: str) -> None:
    shape: list[int | str | None] = ["n", 4]
    identity = build_model(
        [helper.make_node("Identity", [name], [f"{name}_out"]) for name in NUMBERS],
        [(name, onnx_type, shape) for name, (onnx_type, _) in NUMBERS.items()],
        [(f"{name}_out", onnx_type, shape) for name, (onnx_type, _) in NUMBERS.items()],
    )
    body = "".join(
        f'input {{ name: "{name}" data_type: {data_type} dims: [ 4 ] }}'
        f'output {{ name: "{name}_out" data_type: {data_type} dims: [ 4 ] }}'
        for name, (_, data_type) in NUMBERS.items()
    )
    triton.load(f"numbers-{backend}", identity, config(backend, body))
    inputs = {name: np.array([[0, 1, 2, 100], [1, 0, 7, 5]]).astype(name) for name in NUMBERS}
    outputs = triton.infer(f"numbers-{backend}", inputs)
    for name, array in inputs.items():
        np.testing.assert_array_equal(outputs[f"{name}_out"], array)


def string_model() -> onnx.ModelProto:
    shape: list[int | str | None] = ["n", 2]
    tensors = [(name, TensorProto.STRING, shape) for name in ("texts", "echo")]
    return build_model([helper.make_node("Identity", ["texts"], ["echo"])], tensors[:1], tensors[1:])


STRING_IO = """input { name: "texts" data_type: TYPE_STRING dims: [ 2 ] }
output { name: "echo" data_type: TYPE_STRING dims: [ 2 ] }"""


def test_onnxruntime_serves_strings(triton: RunningTriton) -> None:
    triton.load("strings", string_model(), config("onnxruntime", STRING_IO))
    texts = np.array([["a", "Fläche".encode()], [b"", b"long " * 50]], dtype=np.object_)
    echo = triton.infer("strings", {"texts": texts})["echo"]
    assert echo.tolist() == [[b"a", "Fläche".encode()], [b"", b"long " * 50]]


def test_openvino_says_that_it_has_no_strings(triton: RunningTriton) -> None:
    message = triton.load_error("no-strings", string_model(), config("openvino", STRING_IO))
    assert "openvino: tensor 'texts' has elements of type string, which this backend cannot carry" in message


def nonzero_model() -> onnx.ModelProto:
    return build_model(
        [helper.make_node("NonZero", ["values"], ["places"])],
        [("values", TensorProto.FLOAT, ["n"])],
        [("places", TensorProto.INT64, [1, "found"])],
    )


def test_shapes_known_only_at_run_time(triton: RunningTriton, backend: str) -> None:
    body = """input { name: "values" data_type: TYPE_FP32 dims: [ -1 ] }
    output { name: "places" data_type: TYPE_INT64 dims: [ 1, -1 ] }"""
    triton.load(f"nonzero-{backend}", nonzero_model(), config(backend, body, max_batch_size=0))
    for values, places in (([0.0, 1.0, 0.0, 2.0], [[1, 3]]), ([5.0], [[0]])):
        outputs = triton.infer(f"nonzero-{backend}", {"values": np.array(values, np.float32)})
        assert outputs["places"].tolist() == places


def convolution() -> onnx.ModelProto:
    weights = np.random.default_rng(0).standard_normal((16, 3, 3, 3)).astype(np.float32)
    return build_model(
        [
            helper.make_node("Cast", ["images"], ["floats"], to=TensorProto.FLOAT),
            helper.make_node("Transpose", ["floats"], ["planes"], perm=[0, 3, 1, 2]),
            helper.make_node("Conv", ["planes", "weights"], ["maps"], pads=[1, 1, 1, 1]),
        ],
        [("images", TensorProto.UINT8, ["n", 32, 48, 3])],
        [("maps", TensorProto.FLOAT, ["n", 16, 32, 48])],
        {"weights": weights},
    )


@pytest.mark.parametrize(("precision", "tolerance"), [("f32", 1e-3), ("auto", 10.0)])
def test_pictures_give_what_onnxruntime_gives_in_process(
    triton: RunningTriton, backend: str, precision: str, tolerance: float
) -> None:
    net, name = convolution(), f"conv-{precision}-{backend}"
    body = f"""input {{ name: "images" data_type: TYPE_UINT8 dims: [ 32, 48, 3 ] }}
    output {{ name: "maps" data_type: TYPE_FP32 dims: [ 16, 32, 48 ] }}
    parameters {{ key: "precision" value {{ string_value: "{precision}" }} }}
    parameters {{ key: "intra_op_thread_count" value {{ string_value: "2" }} }}"""
    triton.load(name, net, config(backend, body))
    images = np.random.default_rng(1).integers(0, 256, (3, 32, 48, 3), dtype=np.uint8)
    session = onnxruntime.InferenceSession(net.SerializeToString(), providers=["CPUExecutionProvider"])
    expected = session.run(None, {"images": images})[0]
    np.testing.assert_allclose(triton.infer(name, {"images": images})["maps"], expected, atol=tolerance)


def folding_model() -> onnx.ModelProto:
    """Folds 4 values into rows of `width` and multiplies them with a matrix of 2 rows: fails unless `width` is 2."""
    return build_model(
        [
            helper.make_node("Reshape", ["width", "rest"], ["columns"]),
            helper.make_node("Concat", ["rest", "columns"], ["shape"], axis=0),
            helper.make_node("Reshape", ["values", "shape"], ["folded"]),
            helper.make_node("MatMul", ["folded", "pair"], ["sums"]),
            helper.make_node("ReduceMax", ["sums"], ["highest"], axes=[0, 1], keepdims=1),
        ],
        [("values", TensorProto.FLOAT, [1, 4]), ("width", TensorProto.INT64, [1, 1])],
        [("highest", TensorProto.FLOAT, [1, 1])],
        {"rest": np.array([-1], np.int64), "pair": np.ones((2, 1), np.float32)},
    )


def test_a_failing_request_fails_alone(triton: RunningTriton, backend: str) -> None:
    body = """input { name: "values" data_type: TYPE_FP32 dims: [ 4 ] }
    input { name: "width" data_type: TYPE_INT64 dims: [ 1 ] }
    output { name: "highest" data_type: TYPE_FP32 dims: [ 1 ] }
    dynamic_batching { preferred_batch_size: [ 4 ] max_queue_delay_microseconds: 2000000 }"""
    name = f"folding-{backend}"
    triton.load(name, folding_model(), config(backend, body, max_batch_size=4))
    values = np.array([[1, 4, 2, 3]], np.float32)
    answers: queue.SimpleQueue[tuple[int, Any, Exception | None]] = queue.SimpleQueue()
    widths = (2, 4, 2, 1)
    for place, width in enumerate(widths):
        inputs: dict[str, NDArray[Any]] = {"values": values * (place + 1), "width": np.array([[width]], np.int64)}
        answer = functools.partial(_keep_answer, answers, place)
        triton.client.async_infer(name, request_inputs(inputs), callback=answer)
    wait_until(lambda: _finished(triton, name) == len(widths), seconds=20)
    assert _statistics(triton, name).execution_count == 1
    answered = {place: (result, error) for place, result, error in (answers.get(timeout=20) for _ in widths)}
    for place in (0, 2):
        assert answered[place][0].as_numpy("highest").tolist() == [[5.0 * (place + 1)]]
    for place in (1, 3):
        assert str(answered[place][1]).startswith(f"[StatusCode.INTERNAL] {backend}: ")


def _statistics(triton: RunningTriton, name: str) -> Any:
    return triton.client.get_inference_statistics(name).model_stats[0]


def _finished(triton: RunningTriton, name: str) -> int:
    statistics = _statistics(triton, name).inference_stats
    return int(statistics.success.count + statistics.fail.count)


def _keep_answer(answers: queue.SimpleQueue[Any], place: int, result: Any, error: Exception | None) -> None:
    answers.put((place, result, error))
