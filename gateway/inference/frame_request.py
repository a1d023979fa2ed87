"""What a request to an alias asks: its pictures, its outputs, its own threshold. Pure."""

from gateway.bytes_tensor import split_elements
from gateway.errors import BadRequest
from gateway.messages import InferRequest

FRAMES_INPUT = "images"
MAX_FRAMES_PER_REQUEST = 64
DEFAULT_TOP_K = 5
CLASSIFICATION_PARAMETER = "classification"
THRESHOLD_PARAMETER = "outpost_threshold"
TOP_K_PARAMETER = "outpost_top_k"
_MOST_CLASSES = 1_000_000


def frames_of(request: InferRequest) -> tuple[memoryview, ...]:
    """The pictures of a request to an alias.

    Raises:
        BadRequest: Not exactly one input ``images``, BYTES [N].
    """
    if len(request.inputs) != 1 or request.inputs[0].name != FRAMES_INPUT:
        names = [tensor.name for tensor in request.inputs]
        raise BadRequest("inputs", f"one input '{FRAMES_INPUT}' with encoded pictures", f"{names}")
    tensor = request.inputs[0]
    if tensor.datatype != "BYTES":
        raise BadRequest(
            f"inputs.{FRAMES_INPUT}.datatype",
            "BYTES with encoded pictures (send tensors to the build's own name)",
            tensor.datatype,
        )
    if len(tensor.shape) != 1 or not 1 <= tensor.shape[0] <= MAX_FRAMES_PER_REQUEST:
        raise BadRequest(
            f"inputs.{FRAMES_INPUT}.shape", f"[N] with N from 1 to {MAX_FRAMES_PER_REQUEST}", str(list(tensor.shape))
        )
    return split_elements(f"inputs.{FRAMES_INPUT}", tensor.data, tensor.shape[0])


def requested_outputs(request: InferRequest, default: tuple[str, ...], on_request: tuple[str, ...]) -> tuple[str, ...]:
    """Names of the outputs to answer with.

    Args:
        request: It may name outputs.
        default: Answered when it names none.
        on_request: Answered only when it names them.

    Raises:
        BadRequest: An output that the alias does not have, or one with the parameter ``classification``.
    """
    if not request.outputs:
        return default
    for output in request.outputs:
        if output.name not in default and output.name not in on_request:
            raise BadRequest("outputs", f"some of {', '.join((*default, *on_request))}", f"'{output.name}'")
        if CLASSIFICATION_PARAMETER in output.parameters:
            raise BadRequest(f"outputs.{output.name}", "no parameter classification for an alias", "classification")
    return tuple(output.name for output in request.outputs)


def threshold_of(request: InferRequest) -> float | None:
    """The request's own threshold.

    Raises:
        BadRequest: Not a number from 0 to 1.
    """
    value = request.parameters.get(THRESHOLD_PARAMETER)
    if value is None:
        return None
    try:
        threshold = float(value)
    except ValueError:
        threshold = -1.0
    if not 0.0 <= threshold <= 1.0:
        raise BadRequest(f"parameters.{THRESHOLD_PARAMETER}", "a number from 0 to 1", repr(value))
    return threshold


def top_k_of(request: InferRequest) -> int:
    """How many classes the answer of a classifier names at most.

    Raises:
        BadRequest: Not an integer from 1 on.
    """
    value = request.parameters.get(TOP_K_PARAMETER)
    return DEFAULT_TOP_K if value is None else parse_top_k(f"parameters.{TOP_K_PARAMETER}", value)


def parse_top_k(name: str, value: bool | float | str) -> int:
    """A number of classes, given as an integer or as text.

    Raises:
        BadRequest: Not an integer from 1 on.
    """
    try:
        count = 0 if isinstance(value, bool | float) else int(value)
    except ValueError:
        count = 0
    if not 1 <= count <= _MOST_CLASSES:
        raise BadRequest(name, "an integer from 1 on", repr(value)[:40])
    return count
