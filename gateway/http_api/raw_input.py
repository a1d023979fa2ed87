"""Which tensor the body of a raw binary request is, as Triton deduces it from the model's config. Pure."""

from math import prod

from gateway.errors import BadRequest
from gateway.http_api.datatypes import ITEM_BYTES
from gateway.oip import model_config_pb2

_TYPE_PREFIX = "TYPE_"


def deduce_raw_input(config: model_config_pb2.ModelConfig, size_bytes: int) -> tuple[str, str, tuple[int, ...]]:
    """Name, datatype and shape of the one input whose data are ``size_bytes`` long.

    Raises:
        BadRequest: The model has several inputs, or its shape does not follow from the size.
    """
    if len(config.input) != 1:
        raise BadRequest("body", "JSON, for a raw body needs a model with one input", f"{len(config.input)} inputs")
    spec = config.input[0]
    dims = tuple(spec.reshape.shape) if spec.HasField("reshape") else tuple(spec.dims)
    shape = (1, *dims) if config.max_batch_size > 0 else dims
    datatype = _datatype(spec.data_type)
    if datatype == "BYTES":
        if prod(dims) not in (1, -1) or dims.count(-1) > 1:
            raise BadRequest("body", f"JSON, for '{spec.name}' {list(shape)} holds more than one element", "a raw body")
        return spec.name, datatype, tuple(abs(size) for size in shape)
    return spec.name, datatype, _fill(spec.name, shape, size_bytes, ITEM_BYTES[datatype])


def _datatype(config_type: int) -> str:
    name = model_config_pb2.DataType.Name(config_type).removeprefix(_TYPE_PREFIX)
    return "BYTES" if name == "STRING" else name


def _fill(name: str, shape: tuple[int, ...], size_bytes: int, item_bytes: int) -> tuple[int, ...]:
    known = prod(size for size in shape if size >= 0) * item_bytes
    unknown = sum(size < 0 for size in shape)
    if unknown > 1:
        raise BadRequest("body", f"JSON, for '{name}' {list(shape)} has several open dimensions", "a raw body")
    if (unknown == 0 and size_bytes != known) or (unknown and (known == 0 or size_bytes % known)):
        expected = f"{known} bytes for '{name}' {list(shape)}" if not unknown else f"a multiple of {known} bytes"
        raise BadRequest("body", expected, f"{size_bytes} bytes")
    return tuple(size_bytes // known if size < 0 else size for size in shape)
