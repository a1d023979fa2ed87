"""One way to run a model on a hardware class."""

from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, model_validator

from contracts.quantization import Scheme, Variant

Backend = Literal["onnxruntime", "openvino", "tensorrt"]
Precision = Literal["auto", "f32", "bf16"]
"""What a backend computes in where the graph leaves it open; ``auto`` is the machine's choice."""

_SCHEMES: dict[Backend, Scheme] = {"onnxruntime": "u8s8", "openvino": "u8s8-symmetric", "tensorrt": "s8s8"}
"""The Q/DQ form that each backend fuses, with the accuracy that it should have."""

_RUNS: dict[Backend, frozenset[Variant]] = {
    "onnxruntime": frozenset({"f32", "f16", "int8", "int8-dynamic", "int4-weights"}),
    "openvino": frozenset({"f32", "bf16", "f16", "int8"}),
    "tensorrt": frozenset({"f32", "f16", "int8"}),
}


class BuildVariant(BaseModel):
    """A precision and the backend that runs it; written ``<variant>-<backend>``, for example ``int8-openvino``.

    What differs from that is written behind: ``int8-openvino-u8s8``, ``int8-openvino-pruned``.

    Attributes:
        variant: Precision.
        backend: What runs it.
        quantization: Of ``int8``: the Q/DQ form. None takes the one that suits the backend.
        pruned: Whether it is made from the network with fewer channels.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    variant: Variant
    backend: Backend
    quantization: Scheme | None = None
    pruned: bool = False

    @model_validator(mode="after")
    def _quantization_is_of_int8(self) -> Self:
        if self.quantization is not None and self.variant != "int8":
            raise ValueError(f"quantization is for variant 'int8', not {self.variant!r}")
        if self.quantization not in {None, "s8s8"} and self.backend == "tensorrt":
            raise ValueError("TensorRT takes only symmetric quantization, s8s8")
        return self

    @model_validator(mode="after")
    def _backend_runs_it(self) -> Self:
        if self.variant not in _RUNS[self.backend]:
            known = ", ".join(sorted(_RUNS[self.backend]))
            raise ValueError(f"backend {self.backend!r} does not run variant {self.variant!r}, only {known}")
        return self

    def __str__(self) -> str:
        parts = (self.variant, self.backend, self.quantization, "pruned" if self.pruned else None)
        return "-".join(part for part in parts if part is not None)

    @property
    def scheme(self) -> Scheme:
        """The Q/DQ form of an ``int8``."""
        return self.quantization or _SCHEMES[self.backend]

    @property
    def precision(self) -> Precision:
        """What the backend is told: ``auto`` lets OpenVINO take bf16 where the CPU computes in it.

        That has 3 bits less than ``f16`` promises, so half floats are stored, and computed in FP32.
        """
        return "auto" if self.backend == "openvino" and self.variant not in {"f32", "f16"} else "f32"

    @property
    def is_float_baseline(self) -> bool:
        """Whether others of its backend are compared with it."""
        return self.variant == "f32" and not self.pruned
