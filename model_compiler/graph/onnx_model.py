"""ONNX bytes and files to checked models, and what their inputs and outputs are."""

from dataclasses import dataclass
from pathlib import Path

import onnx
from google.protobuf.message import DecodeError
from onnx import TensorProto, checker

from model_compiler.errors import InputFileMissing, NotOnnx, UnsupportedModel
from model_compiler.graph.graph_support import check_graph

DATATYPES: dict[int, str] = {
    TensorProto.BOOL: "BOOL",
    TensorProto.UINT8: "UINT8",
    TensorProto.UINT16: "UINT16",
    TensorProto.UINT32: "UINT32",
    TensorProto.UINT64: "UINT64",
    TensorProto.INT8: "INT8",
    TensorProto.INT16: "INT16",
    TensorProto.INT32: "INT32",
    TensorProto.INT64: "INT64",
    TensorProto.FLOAT16: "FP16",
    TensorProto.FLOAT: "FP32",
    TensorProto.DOUBLE: "FP64",
    TensorProto.BFLOAT16: "BF16",
    TensorProto.STRING: "STRING",
}
"""ONNX element types as Triton's model configuration names them, without ``TYPE_``."""

_FOREIGN = {
    b"PK\x03\x04": "it is a zip archive such as a PyTorch checkpoint, which is never loaded: export it to ONNX first",
    b"\x80": "it is a Python pickle, which is never loaded: export the model to ONNX first",
    b"\x89HDF": "it is an HDF5 file: export the model to ONNX first",
}


@dataclass(frozen=True, slots=True)
class TensorFacts:
    """One input or output of a graph; an axis of unknown size is None."""

    name: str
    datatype: str
    shape: tuple[int | None, ...]

    def __str__(self) -> str:
        sizes = ",".join("?" if size is None else str(size) for size in self.shape)
        return f"{self.name!r} {self.datatype} [{sizes}]"


@dataclass(frozen=True, slots=True)
class GraphInterface:
    """The tensors that a graph takes and gives."""

    inputs: tuple[TensorFacts, ...]
    outputs: tuple[TensorFacts, ...]


def read_model_file(path: Path) -> onnx.ModelProto:
    """Read and check an ONNX file; weights kept in files beside it are drawn in.

    Raises:
        InputFileMissing: There is no such file.
        NotOnnx: It is not an ONNX model.
        UnsupportedNode, UnsupportedModel: An operator is unknown, or the graph is damaged or too new.
        InvalidWeights: Weights are NaN or infinite.
    """
    if not path.is_file():
        raise InputFileMissing(path, "model")
    model = parse_model(path.read_bytes(), source=str(path), check=False)
    try:
        onnx.load_external_data_for_model(model, str(path.parent))
    except (OSError, ValueError, checker.ValidationError) as error:
        raise NotOnnx(str(path), f"weights in a file beside it cannot be read: {error}") from error
    check_graph(model)
    return _checked(model, str(path))


def parse_model(data: bytes, *, source: str = "the model", check: bool = True) -> onnx.ModelProto:
    """Read ONNX bytes.

    Args:
        data: The serialised model.
        source: How messages name it.
        check: Also run ONNX's checker.

    Raises:
        NotOnnx: They are something else, or the graph is not valid.
    """
    for magic, reason in _FOREIGN.items():
        if data.startswith(magic):
            raise NotOnnx(source, reason)
    try:
        model = onnx.load_model_from_string(data)
    except DecodeError as error:
        raise NotOnnx(source, "its bytes cannot be parsed; is the file complete?") from error
    if not model.ir_version or not model.graph.node:
        raise NotOnnx(source, "it has no graph")
    return _checked(model, source) if check else model


def _checked(model: onnx.ModelProto, source: str) -> onnx.ModelProto:
    try:
        checker.check_model(model)
    except (checker.ValidationError, ValueError) as error:
        raise NotOnnx(source, " ".join(str(error).split())) from error
    return model


def interface_of(model: onnx.ModelProto) -> GraphInterface:
    """Inputs (without those that are weights) and outputs of a graph.

    Raises:
        UnsupportedModel: One of them is not a tensor of a type that Triton knows.
    """
    weights = {weight.name for weight in model.graph.initializer}
    inputs = [value for value in model.graph.input if value.name not in weights]
    return GraphInterface(
        tuple(_facts(value) for value in inputs), tuple(_facts(value) for value in model.graph.output)
    )


def _facts(value: onnx.ValueInfoProto) -> TensorFacts:
    tensor = value.type.tensor_type
    if not value.type.HasField("tensor_type") or tensor.elem_type not in DATATYPES or not tensor.HasField("shape"):
        raise UnsupportedModel(f"{value.name!r} is not a tensor of a known type and rank")
    sizes = (axis.dim_value if axis.HasField("dim_value") and axis.dim_value > 0 else None for axis in tensor.shape.dim)
    return TensorFacts(value.name, DATATYPES[tensor.elem_type], tuple(sizes))


def opset_of(model: onnx.ModelProto) -> int:
    """Version of the default operator set."""
    return max((entry.version for entry in model.opset_import if entry.domain in {"", "ai.onnx"}), default=0)
