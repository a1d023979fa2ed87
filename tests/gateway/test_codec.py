"""HTTP bodies to messages and back, on literal bytes."""

import json
import struct
import sys
from types import FrameType
from typing import Any

import pytest

from gateway.errors import BadRequest
from gateway.http_api.codec import (
    ALL_BINARY,
    DecodedRequest,
    OutputForm,
    decode_request,
    encode_response,
    parse_header_length,
    raw_request,
)
from gateway.messages import InferResponse, RequestedOutput, Tensor


def decode(content: object, tail: bytes = b"", received_at: float = 100.0) -> DecodedRequest:
    head = content if isinstance(content, bytes) else json.dumps(content).encode()
    return decode_request("m", "", head + tail, len(head) if tail else None, received_at)


def with_input(**entry: Any) -> dict[str, Any]:
    return {"inputs": [{"name": "x", "shape": [2], "datatype": "INT32", **entry}]}


def test_a_whole_request_in_literal_bytes() -> None:
    head = (
        b'{"id":"7","parameters":{"timeout":2500000,"binary_data_output":true,"outpost_threshold":0.5},'
        b'"inputs":[{"name":"a","shape":[2],"datatype":"UINT8","parameters":{"binary_data_size":2}},'
        b'{"name":"b","shape":[1,2],"datatype":"INT16","data":[[1,-2]]},'
        b'{"name":"c","shape":[1],"datatype":"BYTES","parameters":{"binary_data_size":7,"k":true}}],'
        b'"outputs":[{"name":"y","parameters":{"binary_data":false,"classification":3}},{"name":"z"}]}'
    )
    body = head + b"\x01\xff" + b"\x03\x00\x00\x00jpg"
    decoded = decode_request("m", "1", body, len(head), 100.0)

    request = decoded.request
    assert (request.model, request.version, request.id, request.deadline_at) == ("m", "1", "7", 102.5)
    assert request.parameters == {"timeout": 2500000, "outpost_threshold": 0.5}
    assert [(x.name, x.datatype, x.shape, bytes(x.data), x.parameters) for x in request.inputs] == [
        ("a", "UINT8", (2,), b"\x01\xff", {}),
        ("b", "INT16", (1, 2), b"\x01\x00\xfe\xff", {}),
        ("c", "BYTES", (1,), b"\x03\x00\x00\x00jpg", {"k": True}),
    ]
    assert request.outputs == (RequestedOutput("y", {"classification": 3}), RequestedOutput("z"))
    assert [decoded.form.is_binary(name) for name in ("y", "z", "other")] == [False, True, True]


def test_binary_tensors_are_views_of_the_body() -> None:
    tail = bytes(range(8))
    data = decode(with_input(parameters={"binary_data_size": 8}), tail).request.inputs[0].data
    assert isinstance(data, memoryview)
    assert len(data.obj) > 8  # type: ignore[arg-type]
    assert data == tail


@pytest.mark.parametrize(
    ("datatype", "values", "expected"),
    [
        ("BOOL", [True, False], b"\x01\x00"),
        ("UINT8", [0, 255], b"\x00\xff"),
        ("UINT16", [0, 65535], b"\x00\x00\xff\xff"),
        ("UINT32", [1, 2**32 - 1], b"\x01\x00\x00\x00\xff\xff\xff\xff"),
        ("UINT64", [1, 2**64 - 1], b"\x01" + b"\x00" * 7 + b"\xff" * 8),
        ("INT8", [-128, 127], b"\x80\x7f"),
        ("INT16", [-32768, 1], b"\x00\x80\x01\x00"),
        ("INT32", [-1, 1], b"\xff\xff\xff\xff\x01\x00\x00\x00"),
        ("INT64", [-(2**63), 2**63 - 1], b"\x00" * 7 + b"\x80" + b"\xff" * 7 + b"\x7f"),
        ("FP32", [1.5, -2], struct.pack("<2f", 1.5, -2)),
        ("FP64", [0.1, 1e300], struct.pack("<2d", 0.1, 1e300)),
        ("BYTES", ["a", "é"], b"\x01\x00\x00\x00a\x02\x00\x00\x00\xc3\xa9"),
    ],
)
def test_every_datatype_as_json(datatype: str, values: list[object], expected: bytes) -> None:
    tensor = decode(with_input(datatype=datatype, data=values)).request.inputs[0]
    assert bytes(tensor.data) == expected


@pytest.mark.parametrize("data", [[1, 2, 3, 4], [[1, 2], [3, 4]], [[[1]], [[2]], [[3]], [[4]]], [[1, 2, 3], [4]]])
def test_nesting_does_not_matter(data: object) -> None:
    tensor = decode(with_input(shape=[2, 2], data=data)).request.inputs[0]
    assert bytes(tensor.data) == struct.pack("<4i", 1, 2, 3, 4)


@pytest.mark.parametrize(("shape", "data"), [([0], []), ([2, 0], [[], []]), ([3, 0, 5], [])])
def test_empty_tensors(shape: list[int], data: object) -> None:
    tensor = decode(with_input(shape=shape, data=data)).request.inputs[0]
    assert (tensor.shape, bytes(tensor.data)) == (tuple(shape), b"")


def test_a_scalar_has_an_empty_shape() -> None:
    tensor = decode(with_input(shape=[], data=[5])).request.inputs[0]
    assert (tensor.shape, bytes(tensor.data)) == ((), b"\x05\x00\x00\x00")


BAD_INPUTS: list[tuple[dict[str, Any], str]] = [
    ({"datatype": "FLOAT", "data": [1, 2]}, r"inputs\.x\.datatype: expected one of .*FP32.*, got 'FLOAT'"),
    ({"datatype": ["INT32"], "data": [1, 2]}, r"inputs\.x\.datatype"),
    ({"datatype": "FP16", "data": [1, 2]}, r"inputs\.x\.data: expected binary tensor data .*, got FP16 as JSON"),
    ({"datatype": "BF16", "data": [1, 2]}, r"got BF16 as JSON"),
    ({"shape": None, "data": [1, 2]}, r"inputs\.x\.shape: expected an array .*, got nothing"),
    ({"shape": "2", "data": [1, 2]}, r"inputs\.x\.shape: .*got str"),
    ({"shape": [-1], "data": [1, 2]}, r"inputs\.x\.shape: expected integers from 0 on, got -1"),
    ({"shape": [2.0], "data": [1, 2]}, r"inputs\.x\.shape: .*got 2\.0"),
    ({"shape": [True], "data": [1]}, r"inputs\.x\.shape: .*got True"),
    ({"shape": [2**63], "data": [1]}, r"inputs\.x\.shape"),
    ({"shape": [10**100], "data": [1]}, r"inputs\.x\.shape: .*got a huge integer"),
    ({"shape": [1] * 65, "data": [1]}, r"inputs\.x\.shape: expected .*64.*, got 65 numbers"),
    ({"data": [1, 2, 3]}, r"inputs\.x\.data: expected 2 elements as the shape says, got 3"),
    ({"data": [1]}, r"inputs\.x\.data: expected 2 elements as the shape says, got 1"),
    ({"shape": [2**62, 2**62], "data": [1]}, r"inputs\.x\.data: expected \d+ elements"),
    ({"data": [1, [2]]}, r"inputs\.x\.data: expected arrays of one depth, got values beside arrays"),
    ({"data": 5}, r"inputs\.x\.data: expected a JSON array, got an integer"),
    ({"data": None}, r"inputs\.x\.data: expected a JSON array, got null"),
    ({"data": {"a": 1}}, r"inputs\.x\.data: expected a JSON array, got an object"),
    ({"data": [1, "2"]}, r"inputs\.x\.data\[1\]: expected an integer, got a string"),
    ({"data": [1, 2.5]}, r"inputs\.x\.data\[1\]: expected an integer, got a number"),
    ({"data": [True, 1]}, r"inputs\.x\.data\[0\]: expected an integer, got true"),
    ({"data": [1, None]}, r"inputs\.x\.data\[1\]: expected an integer, got null"),
    ({"data": [1, 2**31]}, r"inputs\.x\.data: expected INT32 values from -2147483648 to 2147483647, got 2147483648"),
    ({"data": [-(2**31) - 1, 0]}, r"got -2147483649"),
    ({"data": [1, 10**400]}, r"got an integer of \d+ bits"),
    ({"datatype": "UINT8", "data": [0, -1]}, r"expected UINT8 values from 0 to 255, got -1"),
    ({"datatype": "BOOL", "data": [1, 0]}, r"inputs\.x\.data\[0\]: expected true or false, got an integer"),
    (
        {"datatype": "FP32", "data": [1, 1e39]},
        r"inputs\.x\.data\[1\]: expected a number in the range of FP32, got 1e\+39",
    ),
    ({"datatype": "FP64", "data": [1, 10**400]}, r"inputs\.x\.data: expected numbers in the range of FP64"),
    ({"datatype": "FP32", "data": ["1", 2]}, r"inputs\.x\.data\[0\]: expected a number, got a string"),
    ({"datatype": "BYTES", "data": ["a", 2]}, r"inputs\.x\.data\[1\]: expected a string, got an integer"),
    ({}, r"inputs\.x: expected either data or parameters\.binary_data_size, got neither"),
    ({"data": [1, 2], "parameters": {"binary_data_size": 0}}, r"got both"),
    (
        {"parameters": {"binary_data_size": 8}},
        r"inputs\.x\.binary_data_size: expected .*the 0 bytes that follow, got 8",
    ),
    ({"parameters": {"binary_data_size": -8}}, r"binary_data_size: .*got -8"),
    ({"parameters": {"binary_data_size": "8"}}, r"binary_data_size: .*got '8'"),
    ({"parameters": {"binary_data_size": True}}, r"binary_data_size: .*got True"),
    ({"parameters": {"shared_memory_region": "r"}}, r"expected data inside the request, got a shared memory region"),
    (
        {"parameters": {"k": {"a": 1}}, "data": [1, 2]},
        r"inputs\.x\.parameters\.k: expected a number, boolean or string",
    ),
    ({"parameters": {"k": 2**70}, "data": [1, 2]}, r"inputs\.x\.parameters\.k: expected an integer of 64 bits"),
    ({"parameters": [1], "data": [1, 2]}, r"inputs\.x\.parameters: expected an object, got list"),
    ({"name": 5, "data": [1, 2]}, r"inputs\[0\]\.name: expected a string, got int"),
    ({"name": None, "data": [1, 2]}, r"inputs\[0\]\.name: expected a string, got nothing"),
]


@pytest.mark.parametrize(("entry", "message"), BAD_INPUTS)
def test_bad_inputs_are_named(entry: dict[str, Any], message: str) -> None:
    with pytest.raises(BadRequest, match=message):
        decode(with_input(**entry))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", r"body: expected JSON, got Expecting value"),
        (b"{", r"body: expected JSON"),
        (b"[]", r"body: expected a JSON object, got list"),
        (b"\xff\xfe", r"body: expected JSON, got 'utf-8' codec"),
        (b'{"inputs":[NaN]}', r"body: expected JSON, got NaN, which JSON has not"),
        (b'{"inputs":[-Infinity]}', r"-Infinity, which JSON has not"),
        (b'{"id":"\\ud800","inputs":[]}', r"body: expected JSON, got .*surrogates"),
        (b'{"inputs":' + b"[" * 100_000 + b"]" * 100_000 + b"}", r"body: expected JSON, got too many nested"),
        (b'{"inputs":[' + b"1" * 5000 + b"]}", r"body: expected JSON, got .*digits"),
        ({}, r"inputs: expected an array of tensors, got nothing"),
        ({"inputs": {}}, r"inputs: expected an array of tensors, got dict"),
        ({"inputs": [5]}, r"inputs\[0\]: expected an object, got int"),
        ({"inputs": [], "id": 5}, r"id: expected a string, got int"),
        ({"inputs": [], "parameters": {"timeout": "1"}}, r"parameters\.timeout: expected microseconds"),
        ({"inputs": [], "parameters": {"timeout": -1}}, r"parameters\.timeout"),
        ({"inputs": [], "parameters": {"timeout": True}}, r"parameters\.timeout"),
        (
            {"inputs": [], "parameters": {"triton_x": 1}},
            r"parameters\.triton_x: expected no name that begins with triton_",
        ),
        ({"inputs": [], "parameters": {"binary_data_output": 1}}, r"binary_data_output: expected true or false, got 1"),
        ({"inputs": [], "outputs": {}}, r"outputs: expected an array, got dict"),
        ({"inputs": [], "outputs": ["y"]}, r"outputs\[0\]: expected an object, got str"),
        ({"inputs": [], "outputs": [{}]}, r"outputs\[0\]\.name"),
        (
            {"inputs": [], "outputs": [{"name": "y", "parameters": {"binary_data": "x"}}]},
            r"outputs\.y\.parameters\.binary",
        ),
        (
            {"inputs": [], "outputs": [{"name": "y", "parameters": {"shared_memory_region": "r"}}]},
            r"outputs\.y: expected data inside the request",
        ),
    ],
)
def test_bad_bodies_are_named(content: object, message: str) -> None:
    with pytest.raises(BadRequest, match=message):
        decode(content)


def test_deep_nesting_of_data_is_refused() -> None:
    data = json.loads("[" * 40 + "]" * 40)
    with pytest.raises(BadRequest, match=r"at most 32 deep"):
        decode(with_input(shape=[0], data=data))


@pytest.mark.parametrize(
    ("shape", "size", "tail", "message"),
    [
        ([2], 8, 9, r"body: expected 8 bytes behind the JSON.*, got 9 bytes"),
        ([2], 8, 7, r"binary_data_size: expected a number from 0 to the 7 bytes that follow, got 8"),
        ([3], 8, 8, r"binary_data_size: expected 12 bytes for INT32 \[3\], got 8"),
        ([2**62, 2**62], 8, 8, r"binary_data_size: expected .* bytes for INT32"),
    ],
)
def test_binary_lengths_must_agree(shape: list[int], size: int, tail: int, message: str) -> None:
    with pytest.raises(BadRequest, match=message):
        decode(with_input(shape=shape, parameters={"binary_data_size": size}), bytes(tail))


def test_two_binary_tensors_must_not_overlap() -> None:
    entry = {"shape": [4], "datatype": "UINT8", "parameters": {"binary_data_size": 4}}
    content = {"inputs": [{"name": "a", **entry}, {"name": "b", **entry}]}
    with pytest.raises(BadRequest, match=r"inputs\.b\.binary_data_size: .*the 2 bytes that follow"):
        decode(content, b"123456")
    inputs = decode(content, b"12345678").request.inputs
    assert [bytes(tensor.data) for tensor in inputs] == [b"1234", b"5678"]


@pytest.mark.parametrize(("text", "expected"), [(None, None), ("0", 0), ("10", 10), ("007", 7)])
def test_header_length(text: str | None, expected: int | None) -> None:
    assert parse_header_length(text, 10) == expected


@pytest.mark.parametrize("text", ["", "-1", "11", "1.5", "abc", "1e3", "+5", " 5", "9" * 30, "9" * 100_000, "٣"])
def test_header_length_must_be_a_size_within_the_body(text: str) -> None:
    with pytest.raises(BadRequest, match=r"Inference-Header-Content-Length: expected a number from 0 to 10"):
        parse_header_length(text, 10)


def test_timeout_zero_means_none() -> None:
    assert decode({"inputs": [], "parameters": {"timeout": 0}}).request.deadline_at is None
    assert decode({"inputs": []}).request.deadline_at is None


def test_raw_requests() -> None:
    picture = raw_request("m", "1", "images", "BYTES", (1,), b"jpg")
    assert picture.inputs == (Tensor("images", "BYTES", (1,), b"\x03\x00\x00\x00jpg"),)
    assert picture.version == "1"
    plain = raw_request("m", "", "x", "UINT8", (3,), b"abc")
    assert plain.inputs == (Tensor("x", "UINT8", (3,), b"abc"),)


RESPONSE = InferResponse(
    model="m",
    version="1",
    id="7",
    outputs=(
        Tensor("f", "FP32", (1, 2), struct.pack("<2f", 1.5, -2)),
        Tensor("s", "BYTES", (2,), b"\x01\x00\x00\x00a\x02\x00\x00\x00\xc3\xa9"),
        Tensor("b", "BOOL", (2,), b"\x01\x00", {"note": "x"}),
    ),
    parameters={"outpost_build": "b", "n": 3, "yes": True},
)


def test_an_answer_in_json() -> None:
    encoded = encode_response(RESPONSE, OutputForm())
    assert encoded.header_length is None
    assert encoded.body.decode() == (
        '{"id":"7","model_name":"m","model_version":"1","parameters":{"outpost_build":"b","n":3,"yes":true},"outputs":['
        '{"name":"f","datatype":"FP32","shape":[1,2],"data":[1.5,-2.0]},'
        '{"name":"s","datatype":"BYTES","shape":[2],"data":["a","é"]},'
        '{"name":"b","datatype":"BOOL","shape":[2],"parameters":{"note":"x"},"data":[true,false]}]}'
    )


def test_an_answer_with_binary_tensors() -> None:
    encoded = encode_response(RESPONSE, OutputForm(binary_by_default=True, binary_by_name={"b": False}))
    head = (
        '{"id":"7","model_name":"m","model_version":"1","parameters":{"outpost_build":"b","n":3,"yes":true},"outputs":['
        '{"name":"f","datatype":"FP32","shape":[1,2],"parameters":{"binary_data_size":8}},'
        '{"name":"s","datatype":"BYTES","shape":[2],"parameters":{"binary_data_size":11}},'
        '{"name":"b","datatype":"BOOL","shape":[2],"parameters":{"note":"x"},"data":[true,false]}]}'
    )
    tail = struct.pack("<2f", 1.5, -2) + b"\x01\x00\x00\x00a\x02\x00\x00\x00\xc3\xa9"
    assert encoded.header_length == len(head)
    assert encoded.body == head.encode() + tail


def test_an_answer_without_id_or_parameters() -> None:
    encoded = encode_response(InferResponse("m", "1", "", ()), ALL_BINARY)
    assert (encoded.body, encoded.header_length) == (b'{"model_name":"m","model_version":"1","outputs":[]}', None)


def test_an_empty_binary_tensor_still_has_a_header_length() -> None:
    encoded = encode_response(InferResponse("m", "1", "", (Tensor("y", "FP32", (0,), b""),)), ALL_BINARY)
    assert encoded.header_length == len(encoded.body)
    assert b'"binary_data_size":0' in encoded.body


def test_not_a_number_is_written_as_triton_writes_it() -> None:
    data = struct.pack("<3f", float("nan"), float("inf"), float("-inf"))
    body = encode_response(InferResponse("m", "1", "", (Tensor("y", "FP32", (3,), data),)), OutputForm()).body
    assert b'"data":[NaN,Infinity,-Infinity]' in body


@pytest.mark.parametrize(
    ("tensor", "message"),
    [
        (
            Tensor("y", "FP16", (1,), b"\x00\x00"),
            r"outputs\.y: expected binary_data: true .*got FP16 asked for as JSON",
        ),
        (Tensor("y", "BF16", (1,), b"\x00\x00"), r"outputs\.y"),
        (Tensor("y", "BYTES", (1,), b"\x01\x00\x00\x00\xff"), r"outputs\.y: expected binary_data: true .*not UTF-8"),
    ],
)
def test_what_json_cannot_carry(tensor: Tensor, message: str) -> None:
    response = InferResponse("m", "1", "", (tensor,))
    with pytest.raises(BadRequest, match=message):
        encode_response(response, OutputForm())
    assert encode_response(response, ALL_BINARY).body.endswith(bytes(tensor.data))


@pytest.mark.parametrize("yielding", [False, True])
def test_only_a_reader_that_yields_calls_python_for_each_number(yielding: bool) -> None:
    body = json.dumps(with_input(shape=[1000], data=list(range(1000)))).encode()
    calls = 0

    def count(_frame: FrameType, event: str, _argument: object) -> None:
        nonlocal calls
        calls += event == "call"

    before = sys.getprofile()
    sys.setprofile(count)
    try:
        decoded = decode_request("m", "", body, None, 0.0, yielding=yielding)
    finally:
        sys.setprofile(before)
    assert (calls >= 1000) == yielding, calls
    assert bytes(decoded.request.inputs[0].data) == struct.pack("<1000i", *range(1000))


@pytest.mark.parametrize("yielding", [False, True])
@pytest.mark.parametrize("number", ["NaN", "-Infinity", "1" * 5000])
def test_what_json_has_not_is_refused_by_both_readers(number: str, yielding: bool) -> None:
    body = f'{{"inputs": [{number}]}}'.encode()
    with pytest.raises(BadRequest, match="body"):
        decode_request("m", "", body, None, 0.0, yielding=yielding)
