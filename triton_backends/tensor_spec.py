"""Names, types and shapes of a model's tensors, and whether a Triton configuration agrees with them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

DYNAMIC = -1
ZERO_COPY_TYPES = {
    "TYPE_BOOL": "bool",
    "TYPE_UINT8": "uint8",
    "TYPE_UINT16": "uint16",
    "TYPE_UINT32": "uint32",
    "TYPE_UINT64": "uint64",
    "TYPE_INT8": "int8",
    "TYPE_INT16": "int16",
    "TYPE_INT32": "int32",
    "TYPE_INT64": "int64",
    "TYPE_FP16": "float16",
    "TYPE_FP32": "float32",
    "TYPE_FP64": "float64",
}
"""Triton's data types that are plain memory in numpy, with numpy's names."""
STRING_TYPE = "TYPE_STRING"


class ModelMismatch(ValueError):
    """The model file and its configuration describe different tensors; the message says which and how."""


@dataclass(frozen=True, slots=True)
class TensorSpec:
    """One tensor of a model.

    Attributes:
        name: Name in the graph.
        data_type: Triton's name of the element type, such as `TYPE_FP32`.
        shape: Full shape, batch axis included; `DYNAMIC` where any size goes.
    """

    name: str
    data_type: str
    shape: tuple[int, ...]

    @property
    def is_static(self) -> bool:
        return DYNAMIC not in self.shape

    def narrowed(self, shape: Sequence[int]) -> "TensorSpec":
        """This tensor with its dynamic axes fixed where `shape` (same rank) says a size."""
        merged = tuple(theirs if mine == DYNAMIC else mine for mine, theirs in zip(self.shape, shape, strict=True))
        return TensorSpec(self.name, self.data_type, merged)


def configured_tensors(
    kind: str, entries: Sequence[Mapping[str, Any]], model: Sequence[TensorSpec], *, batched: bool
) -> tuple[TensorSpec, ...]:
    """The tensors that requests carry, in the order of the configuration, checked against the model's.

    Args:
        kind: `input` or `output`, for messages.
        entries: That part of Triton's model configuration, as JSON objects.
        model: All tensors of that kind in the model file.
        batched: Whether `max_batch_size` > 0, so that `dims` leaves out the batch axis.

    Returns:
        One tensor per entry; shapes are of one row (batch axis 1) where batched.

    Raises:
        ModelMismatch: A tensor is unknown, missing, or has another type or shape.
    """
    by_name = {spec.name: spec for spec in model}
    chosen = tuple(_configured(kind, entry, by_name, batched=batched) for entry in entries)
    missing = sorted(by_name.keys() - {spec.name for spec in chosen})
    if kind == "input" and missing:
        raise ModelMismatch(f"the model needs input {_listed(missing)}, which config.pbtxt does not have")
    return chosen


def _configured(kind: str, entry: Mapping[str, Any], by_name: Mapping[str, TensorSpec], *, batched: bool) -> TensorSpec:
    name = entry["name"]
    spec = by_name.get(name)
    if spec is None:
        raise ModelMismatch(f"config.pbtxt has {kind} {name!r}, the model has {_listed(sorted(by_name))}")
    if entry["data_type"] != spec.data_type:
        raise ModelMismatch(f"{kind} {name!r} is {entry['data_type']} in config.pbtxt, {spec.data_type} in the model")
    dims = [int(size) for size in entry.get("reshape", entry).get("shape", entry["dims"])]
    shape = [1, *dims] if batched else dims
    if not _compatible(shape, spec.shape):
        said = ["batch", *dims] if batched else dims
        raise ModelMismatch(f"{kind} {name!r} is {said} in config.pbtxt, {list(spec.shape)} in the model")
    return spec.narrowed(shape)


def _compatible(shape: Sequence[int], model_shape: Sequence[int]) -> bool:
    if len(shape) != len(model_shape):
        return False
    return all(DYNAMIC in (ours, theirs) or ours == theirs for ours, theirs in zip(shape, model_shape, strict=True))


def _listed(names: Sequence[str]) -> str:
    return ", ".join(repr(name) for name in names) or "none"
