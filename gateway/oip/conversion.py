"""Protocol messages of gRPC to our frozen messages and back. Pure."""

from collections.abc import Iterable

import numpy as np
from google.protobuf.message import Message

from gateway.bytes_tensor import join_elements
from gateway.errors import BadRequest
from gateway.messages import InferRequest, InferResponse, Parameter, Parameters, RequestedOutput, Tensor
from gateway.oip import service_pb2

_SHARED_MEMORY_PARAMETER = "shared_memory_region"

# Open Inference Protocol, "Tensor Data Types": which typed field carries which datatype.
_TYPED_CONTENTS: dict[str, tuple[str, type[np.generic]]] = {
    "BOOL": ("bool_contents", np.bool_),
    "INT8": ("int_contents", np.int8),
    "INT16": ("int_contents", np.int16),
    "INT32": ("int_contents", np.int32),
    "INT64": ("int64_contents", np.int64),
    "UINT8": ("uint_contents", np.uint8),
    "UINT16": ("uint_contents", np.uint16),
    "UINT32": ("uint_contents", np.uint32),
    "UINT64": ("uint64_contents", np.uint64),
    "FP32": ("fp32_contents", np.float32),
    "FP64": ("fp64_contents", np.float64),
}


def request_from_proto(message: service_pb2.ModelInferRequest) -> InferRequest:
    """Read a request; tensors given as typed ``contents`` become raw bytes.

    Raises:
        BadRequest: Typed and raw contents are mixed, or a tensor has neither.
    """
    raw = message.raw_input_contents
    if raw and len(raw) != len(message.inputs):
        raise BadRequest(
            "raw_input_contents", f"one element for each of the {len(message.inputs)} inputs", f"{len(raw)} elements"
        )
    return InferRequest(
        model=message.model_name,
        version=message.model_version,
        id=message.id,
        parameters=parameters_from_proto(message.parameters),
        inputs=tuple(
            _tensor_from_proto(tensor, raw[index] if raw else None) for index, tensor in enumerate(message.inputs)
        ),
        outputs=tuple(_output_from_proto(output) for output in message.outputs),
    )


def request_to_proto(request: InferRequest) -> service_pb2.ModelInferRequest:
    """Write a request for Triton, tensors as raw contents."""
    message = service_pb2.ModelInferRequest(model_name=request.model, model_version=request.version, id=request.id)
    _set_parameters(message.parameters, request.parameters)
    for tensor in request.inputs:
        added = message.inputs.add(name=tensor.name, datatype=tensor.datatype, shape=tensor.shape)
        _set_parameters(added.parameters, tensor.parameters)
        message.raw_input_contents.append(bytes(tensor.data))
    for output in request.outputs:
        requested = message.outputs.add(name=output.name)
        _set_parameters(requested.parameters, output.parameters)
    return message


def response_from_proto(message: service_pb2.ModelInferResponse) -> InferResponse:
    """Read Triton's answer."""
    return InferResponse(
        model=message.model_name,
        version=message.model_version,
        id=message.id,
        parameters=parameters_from_proto(message.parameters),
        outputs=tuple(
            Tensor(
                tensor.name,
                tensor.datatype,
                tuple(tensor.shape),
                message.raw_output_contents[index] if index < len(message.raw_output_contents) else b"",
                parameters_from_proto(tensor.parameters),
            )
            for index, tensor in enumerate(message.outputs)
        ),
    )


def response_to_proto(response: InferResponse) -> service_pb2.ModelInferResponse:
    """Write an answer for a client."""
    message = service_pb2.ModelInferResponse(model_name=response.model, model_version=response.version, id=response.id)
    _set_parameters(message.parameters, response.parameters)
    for tensor in response.outputs:
        added = message.outputs.add(name=tensor.name, datatype=tensor.datatype, shape=tensor.shape)
        _set_parameters(added.parameters, tensor.parameters)
        message.raw_output_contents.append(bytes(tensor.data))
    return message


def parameters_from_proto(parameters: Iterable[str]) -> Parameters:
    """Read a map of ``InferParameter``."""
    return {name: _parameter(parameters[name]) for name in parameters}  # type: ignore[index]


def _parameter(value: Message) -> Parameter:
    chosen = value.WhichOneof("parameter_choice")
    if chosen is None:
        return ""
    result: Parameter = getattr(value, chosen)
    return result


def _set_parameters(target: object, parameters: Parameters) -> None:
    for name, value in parameters.items():
        entry = target[name]  # type: ignore[index]
        if isinstance(value, bool):
            entry.bool_param = value
        elif isinstance(value, int):
            entry.int64_param = value
        elif isinstance(value, float):
            entry.double_param = value
        else:
            entry.string_param = value


def _output_from_proto(output: service_pb2.ModelInferRequest.InferRequestedOutputTensor) -> RequestedOutput:
    parameters = parameters_from_proto(output.parameters)
    if _SHARED_MEMORY_PARAMETER in parameters:
        raise BadRequest(f"outputs.{output.name}", "no shared memory region", "one")
    return RequestedOutput(output.name, parameters)


def _tensor_from_proto(tensor: service_pb2.ModelInferRequest.InferInputTensor, raw: bytes | None) -> Tensor:
    parameters = parameters_from_proto(tensor.parameters)
    if _SHARED_MEMORY_PARAMETER in parameters:
        raise BadRequest(f"inputs.{tensor.name}", "data inside the request", "a shared memory region")
    if raw is not None and tensor.HasField("contents"):
        raise BadRequest(f"inputs.{tensor.name}", "raw or typed contents", "both")
    data = raw if raw is not None else _typed_contents(tensor)
    return Tensor(tensor.name, tensor.datatype, tuple(tensor.shape), data, parameters)


def _typed_contents(tensor: service_pb2.ModelInferRequest.InferInputTensor) -> bytes:
    if tensor.datatype == "BYTES":
        return join_elements(tensor.contents.bytes_contents)
    if tensor.datatype not in _TYPED_CONTENTS:
        raise BadRequest(f"inputs.{tensor.name}", "raw contents for this datatype", f"typed {tensor.datatype}")
    field, dtype = _TYPED_CONTENTS[tensor.datatype]
    values = list(getattr(tensor.contents, field))
    if np.dtype(dtype).kind in "iu":
        limits = np.iinfo(np.dtype(dtype).name)
        wrong = next((value for value in values if not limits.min <= value <= limits.max), None)
        if wrong is not None:
            allowed = f"values of {tensor.datatype}, {limits.min} to {limits.max}"
            raise BadRequest(f"inputs.{tensor.name}", allowed, str(wrong))
    return np.asarray(values, dtype=dtype).tobytes()
