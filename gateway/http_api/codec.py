"""HTTP bodies of inference requests and answers, to and from our messages: JSON with Triton's binary tensor data. Pure.

A body is JSON, or JSON followed by the bytes of the tensors in the order in which the JSON lists them; the length of
the JSON is then given by the header ``Inference-Header-Content-Length``. See Triton's ``extension_binary_data``.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from math import prod

from gateway.bytes_tensor import join_elements
from gateway.errors import BadRequest
from gateway.http_api.datatypes import DATATYPES, ITEM_BYTES
from gateway.http_api.json_tensor import pack_values, unpack_values
from gateway.messages import NO_PARAMETERS, InferRequest, InferResponse, Parameter, Parameters, RequestedOutput, Tensor
from gateway.request_deadline import deadline_of

HEADER_LENGTH = "Inference-Header-Content-Length"
MAX_DIMENSIONS = 64
_CHARACTERS_PER_BYTE = 5  # of an FP32 in decimals
_MAX_DIMENSION = 2**63 - 1
_RESERVED_PREFIX = "triton_"
_BINARY_SIZE = "binary_data_size"
_BINARY_OUTPUT = "binary_data"
_BINARY_OUTPUTS = "binary_data_output"
_SHARED_MEMORY = ("shared_memory_region", "shared_memory_offset", "shared_memory_byte_size")


def _refuse_constant(name: str) -> object:
    raise ValueError(f"{name}, which JSON has not")


def _read_float(text: str) -> float:
    return float(text)


def _read_integer(text: str) -> int:
    return int(text)


_READER = json.JSONDecoder(parse_constant=_refuse_constant)
# Functions in Python are where other threads get their turn: the reader in C holds the interpreter until it is done.
_YIELDING_READER = json.JSONDecoder(parse_constant=_refuse_constant, parse_float=_read_float, parse_int=_read_integer)
_WRITER = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False)


@dataclass(frozen=True, slots=True)
class OutputForm:
    """Which outputs the caller wants as binary data; the others are JSON."""

    binary_by_default: bool = False
    binary_by_name: Mapping[str, bool] = field(default_factory=dict)

    def is_binary(self, output: str) -> bool:
        """Whether an output travels behind the JSON."""
        return self.binary_by_name.get(output, self.binary_by_default)


ALL_BINARY = OutputForm(binary_by_default=True)


@dataclass(frozen=True, slots=True)
class DecodedRequest:
    """A request, and how its caller wants the answer."""

    request: InferRequest
    form: OutputForm


@dataclass(frozen=True, slots=True)
class EncodedResponse:
    """The body of an answer; ``header_length`` is the length of its JSON where tensors follow."""

    body: bytes
    header_length: int | None


def parse_header_length(text: str | None, body_size: int) -> int | None:
    """The value of ``Inference-Header-Content-Length``; None where the whole body is JSON, 0 for a raw binary request.

    Raises:
        BadRequest: Not a number from 0 to the size of the body.
    """
    if text is None:
        return None
    # the length check keeps int() from being fed a megabyte of digits
    if not (text.isascii() and text.isdigit() and len(text) <= 20 and int(text) <= body_size):
        raise BadRequest(HEADER_LENGTH, f"a number from 0 to {body_size}, the size of the body", repr(text[:40]))
    return int(text)


def decode_request(
    model: str, version: str, body: bytes, header_length: int | None, received_at: float, *, yielding: bool = False
) -> DecodedRequest:
    """Read a request whose body begins with JSON. Binary tensors are views of the body, not copies.

    Args:
        model: Name from the path.
        version: Version from the path, or empty.
        body: The whole body, without content coding.
        header_length: Length of the JSON, at least 1, or None for a body of JSON alone.
        received_at: Monotonic seconds; the parameter ``timeout`` counts from here.
        yielding: Let other threads have their turn meanwhile, which takes longer.

    Raises:
        BadRequest: Naming the field, what it should be and what it is.
    """
    content = _parse_object(body if header_length is None else body[:header_length], yielding)
    tail = memoryview(b"") if header_length is None else memoryview(body)[header_length:]
    parameters = _parameters("parameters", content.get("parameters"))
    form_default = _flag("parameters", parameters, _BINARY_OUTPUTS)
    outputs, by_name = _outputs(content.get("outputs"))
    request = InferRequest(
        model=model,
        version=version,
        id=_text("id", content.get("id", "")),
        parameters=_without(parameters, (_BINARY_OUTPUTS,)),
        inputs=_inputs(content.get("inputs"), tail),
        outputs=outputs,
        deadline_at=deadline_of(parameters, received_at),
    )
    return DecodedRequest(request, OutputForm(bool(form_default), by_name))


def raw_request(
    model: str, version: str, name: str, datatype: str, shape: tuple[int, ...], body: bytes
) -> InferRequest:
    """A raw binary request (header length 0): the whole body is the one tensor, for BYTES its one element."""
    data = join_elements([body]) if datatype == "BYTES" else body
    return InferRequest(model=model, version=version, inputs=(Tensor(name, datatype, shape, data),))


def json_bytes_of(response: InferResponse, form: OutputForm) -> int:
    """About how long the numbers of an answer are as JSON."""
    texts = (tensor for tensor in response.outputs if not form.is_binary(tensor.name))
    return sum(_CHARACTERS_PER_BYTE * len(tensor.data) for tensor in texts)


def encode_response(response: InferResponse, form: OutputForm, *, yielding: bool = False) -> EncodedResponse:
    """Write an answer.

    Args:
        response: The answer.
        form: What of it travels behind the JSON.
        yielding: Let other threads have their turn meanwhile, which takes longer.

    Raises:
        BadRequest: An output cannot be written as JSON and was not asked for as binary data.
    """
    tail: list[bytes | memoryview] = []
    content: dict[str, object] = {"id": response.id} if response.id else {}
    content |= {"model_name": response.model, "model_version": response.version}
    if response.parameters:
        content["parameters"] = dict(response.parameters)
    content["outputs"] = [_output(tensor, form, tail) for tensor in response.outputs]
    text = "".join(_WRITER.iterencode(content)) if yielding else _WRITER.encode(content)
    header = text.encode()
    if not tail:
        return EncodedResponse(header, None)
    return EncodedResponse(b"".join((header, *tail)), len(header))


def write_json(content: object) -> bytes:
    """Compact JSON."""
    return _WRITER.encode(content).encode()


def parse_json(data: bytes | memoryview, *, yielding: bool = False) -> object:
    """Read JSON as its standard says it, that is without NaN and Infinity.

    Args:
        data: UTF-8.
        yielding: Let other threads have their turn meanwhile, which takes longer.

    Raises:
        BadRequest: It is something else.
    """
    try:
        text = str(data, "utf-8")
        content: object = (_YIELDING_READER if yielding else _READER).decode(text)
        if "\\u" in text:
            _WRITER.encode(content).encode()  # half of a surrogate pair can be escaped, but is no text
    except RecursionError as error:
        raise BadRequest("body", "JSON", "too many nested arrays or objects") from error
    except ValueError as error:
        raise BadRequest("body", "JSON", str(error)[:200]) from error
    return content


def _parse_object(data: bytes, yielding: bool) -> Mapping[str, object]:
    content = parse_json(data, yielding=yielding)
    if not isinstance(content, dict):
        raise BadRequest("body", "a JSON object", type(content).__name__)
    return content


def _inputs(entries: object, tail: memoryview) -> tuple[Tensor, ...]:
    if not isinstance(entries, list):
        raise BadRequest("inputs", "an array of tensors", "nothing" if entries is None else type(entries).__name__)
    tensors: list[Tensor] = []
    position = 0
    for index, entry in enumerate(entries):
        tensor = _input(index, entry, tail[position:])
        if isinstance(tensor.data, memoryview):
            position += len(tensor.data)
        tensors.append(tensor)
    if position != len(tail):
        raise BadRequest("body", f"{position} bytes behind the JSON, the sum of {_BINARY_SIZE}", f"{len(tail)} bytes")
    return tuple(tensors)


def _input(index: int, entry: object, tail: memoryview) -> Tensor:
    if not isinstance(entry, dict):
        raise BadRequest(f"inputs[{index}]", "an object", type(entry).__name__)
    name = _text(f"inputs[{index}].name", entry.get("name"))
    label = f"inputs.{name}"
    datatype = entry.get("datatype")
    if datatype not in DATATYPES:
        raise BadRequest(f"{label}.datatype", f"one of {', '.join(DATATYPES)}", repr(datatype)[:40])
    shape = _shape(f"{label}.shape", entry.get("shape"))
    parameters = _parameters(f"{label}.parameters", entry.get("parameters"))
    _refuse_shared_memory(label, parameters)
    data = _input_data(label, datatype, shape, entry, parameters.get(_BINARY_SIZE), tail)
    return Tensor(name, datatype, shape, data, _without(parameters, (_BINARY_SIZE,)))


def _input_data(
    label: str,
    datatype: str,
    shape: tuple[int, ...],
    entry: Mapping[str, object],
    size: Parameter | None,
    tail: memoryview,
) -> bytes | memoryview:
    if (size is None) == ("data" not in entry):
        both = "both" if size is not None else "neither"
        raise BadRequest(label, f"either data or parameters.{_BINARY_SIZE}", both)
    count = prod(shape)
    if size is None:
        return pack_values(f"{label}.data", datatype, count, entry["data"])
    if type(size) is not int or not 0 <= size <= len(tail):
        raise BadRequest(f"{label}.{_BINARY_SIZE}", f"a number from 0 to the {len(tail)} bytes that follow", repr(size))
    if datatype != "BYTES" and size != count * ITEM_BYTES[datatype]:
        expected = f"{_shortened(count * ITEM_BYTES[datatype])} bytes for {datatype} {list(shape)}"
        raise BadRequest(f"{label}.{_BINARY_SIZE}", expected, f"{size}")
    return tail[:size]


def _outputs(entries: object) -> tuple[tuple[RequestedOutput, ...], dict[str, bool]]:
    if entries is None:
        return (), {}
    if not isinstance(entries, list):
        raise BadRequest("outputs", "an array", type(entries).__name__)
    outputs: list[RequestedOutput] = []
    binary: dict[str, bool] = {}
    for index, entry in enumerate(entries):
        if not isinstance(entry, dict):
            raise BadRequest(f"outputs[{index}]", "an object", type(entry).__name__)
        name = _text(f"outputs[{index}].name", entry.get("name"))
        parameters = _parameters(f"outputs.{name}.parameters", entry.get("parameters"))
        _refuse_shared_memory(f"outputs.{name}", parameters)
        asked = _flag(f"outputs.{name}.parameters", parameters, _BINARY_OUTPUT)
        if asked is not None:
            binary[name] = asked
        outputs.append(RequestedOutput(name, _without(parameters, (_BINARY_OUTPUT,))))
    return tuple(outputs), binary


def _output(tensor: Tensor, form: OutputForm, tail: list[bytes | memoryview]) -> dict[str, object]:
    parameters: dict[str, object] = dict(tensor.parameters)
    entry: dict[str, object] = {"name": tensor.name, "datatype": tensor.datatype, "shape": tensor.shape}
    if form.is_binary(tensor.name):
        parameters[_BINARY_SIZE] = len(tensor.data)
        entry["parameters"] = parameters
        tail.append(tensor.data)
        return entry
    if parameters:
        entry["parameters"] = parameters
    entry["data"] = unpack_values(f"outputs.{tensor.name}", tensor.datatype, tensor.data, prod(tensor.shape))
    return entry


def _shape(label: str, value: object) -> tuple[int, ...]:
    if not isinstance(value, list) or len(value) > MAX_DIMENSIONS:
        kind = f"{len(value)} numbers" if isinstance(value, list) else type(value).__name__
        raise BadRequest(label, f"an array of at most {MAX_DIMENSIONS} numbers", "nothing" if value is None else kind)
    for size in value:
        if type(size) is not int or not 0 <= size <= _MAX_DIMENSION:
            raise BadRequest(label, "integers from 0 on", _shortened(size))
    return tuple(value)


def _parameters(label: str, value: object) -> Parameters:
    if value is None:
        return NO_PARAMETERS
    if not isinstance(value, dict):
        raise BadRequest(label, "an object", type(value).__name__)
    for name, entry in value.items():
        if name.startswith(_RESERVED_PREFIX):
            raise BadRequest(f"{label}.{name}", f"no name that begins with {_RESERVED_PREFIX} (reserved)", "one")
        if not isinstance(entry, bool | int | float | str):
            raise BadRequest(f"{label}.{name}", "a number, boolean or string", type(entry).__name__)
        if type(entry) is int and not -_MAX_DIMENSION <= entry <= _MAX_DIMENSION:
            raise BadRequest(f"{label}.{name}", "an integer of 64 bits", _shortened(entry))
    return dict(value)


def _refuse_shared_memory(label: str, parameters: Parameters) -> None:
    for name in _SHARED_MEMORY:
        if name in parameters:
            raise BadRequest(label, "data inside the request", "a shared memory region")


def _flag(label: str, parameters: Parameters, name: str) -> bool | None:
    value = parameters.get(name)
    if value is not None and not isinstance(value, bool):
        raise BadRequest(f"{label}.{name}", "true or false", repr(value)[:40])
    return value


def _without(parameters: Parameters, names: tuple[str, ...]) -> Parameters:
    if not any(name in parameters for name in names):
        return parameters
    return {name: value for name, value in parameters.items() if name not in names}


def _text(label: str, value: object) -> str:
    if not isinstance(value, str):
        raise BadRequest(label, "a string", "nothing" if value is None else type(value).__name__)
    return value


def _shortened(value: object) -> str:
    text = repr(value) if not isinstance(value, int) or value.bit_length() < 256 else "a huge integer"
    return text if len(text) <= 40 else f"{text[:40]}..."
