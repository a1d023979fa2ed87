"""HTTP bodies to messages and back, on whatever comes."""

import contextlib
import json
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.errors import BadRequest
from gateway.http_api.codec import (
    ALL_BINARY,
    DecodedRequest,
    OutputForm,
    decode_request,
    encode_response,
    parse_json,
)
from gateway.messages import InferResponse, Tensor


def decode(content: object, tail: bytes = b"", received_at: float = 100.0) -> DecodedRequest:
    head = content if isinstance(content, bytes) else json.dumps(content).encode()
    return decode_request("m", "", head + tail, len(head) if tail else None, received_at)


def with_input(**entry: Any) -> dict[str, Any]:
    return {"inputs": [{"name": "x", "shape": [2], "datatype": "INT32", **entry}]}


JSON_TYPES = {
    "UINT8": st.integers(0, 255),
    "UINT64": st.integers(0, 2**64 - 1),
    "INT8": st.integers(-128, 127),
    "INT64": st.integers(-(2**63), 2**63 - 1),
    "BOOL": st.booleans(),
    "FP32": st.floats(width=32, allow_nan=False, allow_infinity=False),
    "FP64": st.floats(allow_nan=False, allow_infinity=False),
    "BYTES": st.text(st.characters(exclude_categories=["Cs"])),
}


@settings(max_examples=80, deadline=None)
@given(st.data())
def test_json_values_come_back_as_they_went(data: st.DataObject) -> None:
    datatype = data.draw(st.sampled_from(sorted(JSON_TYPES)))
    values = data.draw(st.lists(JSON_TYPES[datatype], max_size=12))
    tensor = decode(with_input(datatype=datatype, shape=[len(values)], data=values)).request.inputs[0]
    answer = InferResponse("m", "1", "", (Tensor("y", tensor.datatype, tensor.shape, bytes(tensor.data)),))
    content = json.loads(encode_response(answer, OutputForm()).body)
    assert content["outputs"][0]["data"] == values


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(["UINT8", "INT32", "FP32", "FP16", "BYTES"]), st.binary(max_size=24))))
def test_binary_tensors_come_back_as_they_went(tensors: list[tuple[str, bytes]]) -> None:
    size = {"UINT8": 1, "INT32": 4, "FP32": 4, "FP16": 2, "BYTES": 1}
    parts = [(kind, data[: len(data) // size[kind] * size[kind]]) for kind, data in tensors]
    entries = [
        {
            "name": f"x{index}",
            "datatype": kind,
            "shape": [len(data) // size[kind]],
            "parameters": {"binary_data_size": len(data)},
        }
        for index, (kind, data) in enumerate(parts)
    ]
    head = json.dumps({"inputs": entries}).encode()
    request = decode_request("m", "", head + b"".join(data for _, data in parts), len(head), 0.0).request
    assert [bytes(tensor.data) for tensor in request.inputs] == [data for _, data in parts]

    encoded = encode_response(InferResponse("m", "1", "", request.inputs), ALL_BINARY)
    if parts:
        assert encoded.header_length is not None
        assert encoded.body[encoded.header_length :] == b"".join(data for _, data in parts)


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["name", "shape", "data"]), inner),
    max_leaves=8,
)
REQUESTS = st.fixed_dictionaries(
    {},
    optional={
        "id": JSON_VALUES,
        "parameters": JSON_VALUES | st.dictionaries(st.sampled_from(["timeout", "triton_a", "k"]), JSON_VALUES),
        "outputs": JSON_VALUES | st.lists(st.dictionaries(st.sampled_from(["name", "parameters"]), JSON_VALUES)),
        "inputs": JSON_VALUES
        | st.lists(
            st.fixed_dictionaries(
                {"name": st.just("x"), "datatype": st.sampled_from(["INT32", "FP32", "BYTES", "BOOL", "FP16"])},
                optional={
                    "shape": JSON_VALUES | st.lists(st.integers(0, 3), max_size=2),
                    "data": JSON_VALUES,
                    "parameters": JSON_VALUES | st.fixed_dictionaries({"binary_data_size": JSON_VALUES}),
                },
            ),
            max_size=2,
        ),
    },
)


@settings(max_examples=150, deadline=None)
@given(REQUESTS, st.binary(max_size=8))
def test_whatever_comes_is_read_or_refused(content: dict[str, object], tail: bytes) -> None:
    try:
        request = decode(content, tail).request
    except BadRequest:
        return
    for tensor in request.inputs:
        if tensor.datatype not in ("BYTES", "BOOL", "FP16"):
            assert len(tensor.data) == 4 * int(np.prod(tensor.shape))


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=40))
def test_any_bytes_are_json_or_refused(data: bytes) -> None:
    with contextlib.suppress(BadRequest):
        parse_json(data)
