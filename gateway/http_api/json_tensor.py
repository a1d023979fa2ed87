"""Tensor data as JSON values, and back to the bytes that travel everywhere else. Pure."""

from itertools import chain
from typing import Any, cast

import numpy as np

from gateway.bytes_tensor import join_elements, split_elements
from gateway.errors import BadRequest
from gateway.http_api.datatypes import NUMPY_TYPES

MAX_NESTING = 32
_PIECE = 32 * 1024
"""Elements that are converted at a time, so that other threads get their turn in between."""
_NUMBERS = frozenset({int, float})
_BINARY_ONLY = "binary tensor data (binary_data_size, Inference-Header-Content-Length) for this datatype"


def pack_values(field: str, datatype: str, count: int, values: object) -> bytes:
    """Tensor bytes of a ``data`` array.

    Args:
        field: What to call the array in an error.
        datatype: A datatype of the protocol.
        count: Number of elements that the shape promises.
        values: Parsed JSON: a list of numbers, booleans or strings, flat or nested in any way.

    Raises:
        BadRequest: Wrong number, kind or range of the elements, or a datatype that JSON cannot carry.
    """
    flat = _flatten(field, values)
    if len(flat) != count:
        raise BadRequest(field, f"{count} elements as the shape says", f"{len(flat)}")
    if datatype != "BYTES" and datatype not in NUMPY_TYPES:
        raise BadRequest(field, _BINARY_ONLY, f"{datatype} as JSON")
    pieces = ((first, flat[first : first + _PIECE]) for first in range(0, count, _PIECE))
    return b"".join(_pack_piece(field, datatype, piece, first) for first, piece in pieces)


def unpack_values(field: str, datatype: str, data: bytes | memoryview, count: int) -> list[object]:
    """The flat ``data`` array of an output, as Triton's HTTP endpoint writes it.

    Raises:
        BadRequest: The output cannot be written as JSON: FP16, BF16, or BYTES that are not UTF-8.
    """
    if datatype == "BYTES":
        try:
            return [str(element, "utf-8") for element in split_elements(field, data, count)]
        except UnicodeDecodeError as error:
            raise BadRequest(field, "binary_data: true for bytes that are not UTF-8", "JSON asked for") from error
    dtype = NUMPY_TYPES.get(datatype)
    if dtype is None:
        raise BadRequest(field, "binary_data: true for this datatype", f"{datatype} asked for as JSON")
    return cast("list[object]", np.frombuffer(data, dtype=dtype).tolist())


def _flatten(field: str, values: object) -> list[object]:
    if not isinstance(values, list):
        raise BadRequest(field, "a JSON array", _kind_of(values))
    flat = values
    for _ in range(MAX_NESTING):
        nested = [isinstance(value, list) for value in flat]
        if not any(nested):
            return flat
        if not all(nested):
            raise BadRequest(field, "arrays of one depth", "values beside arrays")
        flat = list(chain.from_iterable(flat))
    raise BadRequest(field, f"arrays at most {MAX_NESTING} deep", "deeper ones")


def _pack_piece(field: str, datatype: str, piece: list[object], first: int) -> bytes:
    if datatype == "BYTES":
        return _pack_texts(field, piece, first)
    dtype = NUMPY_TYPES[datatype]
    if dtype.kind == "b":
        _require_kinds(field, piece, first, frozenset({bool}), "true or false")
        return np.array(piece, dtype=dtype).tobytes()
    pack = _pack_floats if dtype.kind == "f" else _pack_integers
    return pack(field, datatype, piece, first)


def _require_kinds(field: str, piece: list[object], first: int, kinds: frozenset[type], expected: str) -> None:
    if not set(map(type, piece)) <= kinds:
        index, value = next((at, value) for at, value in enumerate(piece, first) if type(value) not in kinds)
        raise BadRequest(f"{field}[{index}]", expected, _kind_of(value))


def _pack_texts(field: str, piece: list[object], first: int) -> bytes:
    _require_kinds(field, piece, first, frozenset({str}), "a string")
    return join_elements([cast("str", value).encode() for value in piece])


def _pack_integers(field: str, datatype: str, piece: list[object], first: int) -> bytes:
    _require_kinds(field, piece, first, frozenset({int}), "an integer")
    dtype = NUMPY_TYPES[datatype]
    limits = np.iinfo(cast("np.dtype[np.signedinteger[Any]]", dtype))
    integers = cast("list[int]", piece)
    for value in (min(integers, default=0), max(integers, default=0)):
        if not limits.min <= value <= limits.max:
            raise BadRequest(field, f"{datatype} values from {limits.min} to {limits.max}", _shortened(value))
    return np.array(integers, dtype=dtype).tobytes()


def _pack_floats(field: str, datatype: str, piece: list[object], first: int) -> bytes:
    _require_kinds(field, piece, first, _NUMBERS, "a number")
    try:
        with np.errstate(over="ignore"):
            packed = np.array(piece, dtype=np.float64).astype(NUMPY_TYPES[datatype])
    except OverflowError as error:
        raise BadRequest(field, f"numbers in the range of {datatype}", "an integer beyond it") from error
    finite = np.isfinite(packed)
    if not finite.all():
        index = int(np.argmin(finite))
        raise BadRequest(f"{field}[{first + index}]", f"a number in the range of {datatype}", repr(piece[index]))
    return packed.tobytes()


def _kind_of(value: object) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    return {dict: "an object", list: "an array", str: "a string", int: "an integer", float: "a number"}[type(value)]


def _shortened(value: int) -> str:
    return str(value) if value.bit_length() < 256 else f"an integer of {value.bit_length()} bits"
