"""The tensor of a raw binary request."""

import pytest

from gateway.errors import BadRequest
from gateway.http_api.raw_input import deduce_raw_input
from gateway.oip import model_config_pb2


def config_of(
    *inputs: tuple[str, list[int]], max_batch_size: int = 0, reshape: list[int] | None = None
) -> model_config_pb2.ModelConfig:
    config = model_config_pb2.ModelConfig(max_batch_size=max_batch_size)
    for datatype, dims in inputs:
        added = config.input.add(name="x", data_type=f"TYPE_{datatype}", dims=dims)
        if reshape is not None:
            added.reshape.shape.extend(reshape)
    return config


@pytest.mark.parametrize(
    ("datatype", "dims", "max_batch_size", "size_bytes", "expected"),
    [
        ("FP32", [2, 3], 0, 24, ("x", "FP32", (2, 3))),
        ("FP32", [2, 3], 8, 24, ("x", "FP32", (1, 2, 3))),
        ("UINT8", [-1, 3], 0, 12, ("x", "UINT8", (4, 3))),
        ("FP16", [-1], 0, 0, ("x", "FP16", (0,))),
        ("STRING", [1], 0, 5, ("x", "BYTES", (1,))),
        ("STRING", [1], 4, 5, ("x", "BYTES", (1, 1))),
        ("STRING", [-1], 0, 5, ("x", "BYTES", (1,))),
    ],
)
def test_deduced(
    datatype: str, dims: list[int], max_batch_size: int, size_bytes: int, expected: tuple[str, str, tuple[int, ...]]
) -> None:
    assert deduce_raw_input(config_of((datatype, dims), max_batch_size=max_batch_size), size_bytes) == expected


@pytest.mark.parametrize(
    ("inputs", "size_bytes", "words"),
    [
        ([("FP32", [1]), ("FP32", [1])], 4, "a model with one input, got 2 inputs"),
        ([], 4, "got 0 inputs"),
        ([("FP32", [2, 3])], 23, r"expected 24 bytes for 'x' \[2, 3\], got 23 bytes"),
        ([("FP32", [-1, 3])], 13, "expected a multiple of 12 bytes, got 13 bytes"),
        ([("FP32", [-1, 0])], 12, "expected a multiple of 0 bytes"),
        ([("FP32", [-1, -1])], 12, "has several open dimensions"),
        ([("STRING", [2])], 12, "holds more than one element"),
        ([("STRING", [-1, -1])], 12, "holds more than one element"),
    ],
)
def test_not_deducible(inputs: list[tuple[str, list[int]]], size_bytes: int, words: str) -> None:
    with pytest.raises(BadRequest, match=words):
        deduce_raw_input(config_of(*inputs), size_bytes)
