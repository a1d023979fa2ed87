"""Both backends inside the real Triton: what goes wrong, and what it says."""

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from tests.triton_backends.running_triton import RunningTriton, build_model, wait_until

IO = """input { name: "x" data_type: TYPE_FP32 dims: [ 4 ] } output { name: "y" data_type: TYPE_FP32 dims: [ 4 ] }"""


def config(backend: str, body: str = IO) -> str:
    return f'backend: "{backend}" max_batch_size: 4 instance_group [ {{ kind: KIND_CPU count: 1 }} ] {body}'


def one_node(operator: str, domain: str = "") -> onnx.ModelProto:
    model = build_model(
        [helper.make_node(operator, ["x"], ["y"], domain=domain)],
        [("x", TensorProto.FLOAT, ["n", 4])],
        [("y", TensorProto.FLOAT, ["n", 4])],
    )
    if domain:
        model.opset_import.append(helper.make_opsetid(domain, 1))
    return model


LOAD_ERRORS = {
    "missing": (None, IO, "there is no model file "),
    "garbage": (b"not a model", IO, "model.onnx"),
    "unknown-operator": (one_node("Frobnicate", "com.example"), IO, "Frobnicate"),
    "wrong-name": (
        one_node("Abs"),
        IO.replace('"x"', '"z"'),
        "config.pbtxt has input 'z', the model has 'x'",
    ),
    "wrong-type": (
        one_node("Abs"),
        IO.replace("TYPE_FP32 dims: [ 4 ] } output", "TYPE_UINT8 dims: [ 4 ] } output"),
        "input 'x' is TYPE_UINT8 in config.pbtxt, TYPE_FP32 in the model",
    ),
    "wrong-shape": (
        one_node("Abs"),
        IO.replace("[ 4 ]", "[ 5 ]"),
        "input 'x' is ['batch', 5] in config.pbtxt, [-1, 4] in the model",
    ),
    "wrong-parameter": (
        one_node("Abs"),
        IO + 'parameters { key: "intra_op_thread_count" value { string_value: "many" } }',
        "parameter intra_op_thread_count must be a whole number from 1, got 'many'",
    ),
}


@pytest.mark.parametrize("case", LOAD_ERRORS)
def test_a_build_that_cannot_load_says_why_in_one_line(triton: RunningTriton, backend: str, case: str) -> None:
    model, body, fact = LOAD_ERRORS[case]
    message = triton.load_error(f"{case}-{backend}", model, config(backend, body))
    sentence = message.partition("TritonModelException: ")[2].partition("\n\nAt:")[0]
    assert sentence.startswith(f"{backend}: ")
    assert fact in sentence
    assert "\n" not in sentence
    assert "Exception from" not in sentence


def test_onnxruntime_refuses_bf16(triton: RunningTriton) -> None:
    body = IO + 'parameters { key: "precision" value { string_value: "bf16" } }'
    message = triton.load_error("bf16", one_node("Abs"), config("onnxruntime", body))
    assert "ONNX Runtime has no bf16 on CPUs, use auto or f32" in message


def test_a_bare_configuration_is_completed_from_the_model(own_triton: RunningTriton, backend: str) -> None:
    name = f"bare-{backend}"
    own_triton.load(name, one_node("Abs"), f'backend: "{backend}"')
    completed = own_triton.client.get_model_config(name, as_json=True)["config"]
    assert completed["max_batch_size"] == 4
    assert [(tensor["name"], tensor["data_type"], tensor["dims"]) for tensor in completed["input"]] == [
        ("x", "TYPE_FP32", ["4"])
    ]
    values = np.array([[-1, 2, -3, 4]], np.float32)
    np.testing.assert_array_equal(own_triton.infer(name, {"x": values})["y"], np.abs(values))


def test_instances_leave_when_triton_is_killed(own_triton: RunningTriton, backend: str) -> None:
    own_triton.load(f"orphan-{backend}", one_node("Abs"), config(backend))
    stubs = own_triton.stub_pids() - {own_triton.process.pid}
    assert stubs
    own_triton.process.kill()
    own_triton.process.wait()
    wait_until(lambda: not any(_is_running(pid) for pid in stubs), seconds=10)


def _is_running(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"
