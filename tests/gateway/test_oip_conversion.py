import numpy as np
import pytest

from gateway.errors import BadRequest
from gateway.messages import InferResponse, Tensor
from gateway.oip import service_pb2
from gateway.oip.conversion import request_from_proto, request_to_proto, response_from_proto, response_to_proto


def message(datatype: str, **contents: list[object]) -> service_pb2.ModelInferRequest:
    request = service_pb2.ModelInferRequest(model_name="m", id="7")
    tensor = request.inputs.add(name="x", datatype=datatype, shape=[2])
    for field, values in contents.items():
        getattr(tensor.contents, field).extend(values)
    return request


@pytest.mark.parametrize(
    ("datatype", "field", "values", "dtype"),
    [
        ("BOOL", "bool_contents", [True, False], np.bool_),
        ("INT8", "int_contents", [-1, 2], np.int8),
        ("INT32", "int_contents", [-1, 2], np.int32),
        ("INT64", "int64_contents", [-(2**40), 2], np.int64),
        ("UINT8", "uint_contents", [1, 255], np.uint8),
        ("UINT64", "uint64_contents", [2**63, 1], np.uint64),
        ("FP32", "fp32_contents", [0.5, -1.5], np.float32),
        ("FP64", "fp64_contents", [0.1, 1e300], np.float64),
    ],
)
def test_typed_contents_become_raw(datatype: str, field: str, values: list[object], dtype: type[np.generic]) -> None:
    (tensor,) = request_from_proto(message(datatype, **{field: values})).inputs
    assert tensor.data == np.array(values, dtype=dtype).tobytes()


def test_strings_are_prefixed_with_their_length() -> None:
    (tensor,) = request_from_proto(message("BYTES", bytes_contents=[b"ab", b""])).inputs
    assert tensor.data == b"\x02\x00\x00\x00ab\x00\x00\x00\x00"


def test_numbers_out_of_range_are_named() -> None:
    with pytest.raises(BadRequest, match=r"inputs\.x: expected values of INT8"):
        request_from_proto(message("INT8", int_contents=[300, 1]))


def test_half_floats_must_be_raw() -> None:
    with pytest.raises(BadRequest, match="raw contents for this datatype"):
        request_from_proto(message("FP16", fp32_contents=[1.0, 2.0]))


def test_raw_and_typed_contents_do_not_mix() -> None:
    mixed = message("FP32", fp32_contents=[1.0, 2.0])
    mixed.raw_input_contents.append(bytes(8))
    with pytest.raises(BadRequest, match="raw or typed contents, got both"):
        request_from_proto(mixed)
    two = message("FP32")
    two.raw_input_contents.extend([bytes(8), bytes(8)])
    with pytest.raises(BadRequest, match="one element for each of the 1 inputs, got 2 elements"):
        request_from_proto(two)


def test_a_region_of_the_client_is_refused() -> None:
    request = message("FP32")
    request.inputs[0].parameters["shared_memory_region"].string_param = "mine"
    with pytest.raises(BadRequest, match="data inside the request, got a shared memory region"):
        request_from_proto(request)


def test_a_request_comes_back_as_it_went() -> None:
    request = message("FP32")
    request.raw_input_contents.append(bytes(8))
    request.parameters["priority"].int64_param = 1
    request.parameters["name"].string_param = "n"
    request.parameters["flag"].bool_param = True
    request.outputs.add(name="y").parameters["classification"].int64_param = 3
    assert request_to_proto(request_from_proto(request)) == request


def test_a_response_comes_back_as_it_went() -> None:
    response = InferResponse("m", "1", "7", (Tensor("y", "FP32", (1, 2), bytes(8)),), {"outpost_build": "b", "n": 2})
    assert response_from_proto(response_to_proto(response)) == response
