"""What a runtime must offer to be served: the port between Triton's interface and an inference library."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

from numpy.typing import NDArray

from triton_backends.tensor_spec import TensorSpec

Precision = Literal["auto", "f32", "bf16"]
PRECISIONS: tuple[Precision, ...] = ("auto", "f32", "bf16")


class OptionsError(ValueError):
    """A value under `parameters` in the model configuration makes no sense; the message says which."""


@dataclass(frozen=True, slots=True)
class EngineOptions:
    """What the `parameters` of a model configuration may set.

    Attributes:
        threads: `intra_op_thread_count`: threads that one inference uses, the calling one included.
        precision: `precision`: element type of the arithmetic; `auto` takes bf16 where the CPU computes in it.
    """

    threads: int = 1
    precision: Precision = "auto"

    @classmethod
    def from_parameters(cls, parameters: Mapping[str, Mapping[str, str]]) -> "EngineOptions":
        """Reads Triton's `{"key": {"string_value": "..."}}`; unknown keys belong to others.

        Raises:
            OptionsError: A value is outside its range.
        """
        threads = parameters.get("intra_op_thread_count", {}).get("string_value", "1")
        if not threads.isdecimal() or int(threads) < 1:
            raise OptionsError(f"parameter intra_op_thread_count must be a whole number from 1, got {threads!r}")
        wanted = parameters.get("precision", {}).get("string_value", "auto")
        for precision in PRECISIONS:
            if precision == wanted:
                return cls(threads=int(threads), precision=precision)
        raise OptionsError(f"parameter precision must be one of {', '.join(PRECISIONS)}, got {wanted!r}")


class Engine(Protocol):
    """A model file opened by a runtime, ready to infer."""

    def run(self, inputs: Sequence[NDArray[Any]], outputs: Sequence[NDArray[Any] | None]) -> Sequence[NDArray[Any]]:
        """One inference.

        Args:
            inputs: C-contiguous arrays in the order of the inputs that the engine was opened with.
            outputs: Where to write each output; None where its shape is not known beforehand.

        Returns:
            The outputs: the given arrays, or new ones in place of None.
        """
        ...


class Runtime(Protocol):
    """An inference library that reads ONNX."""

    name: str

    def describe(self, path: Path) -> tuple[tuple[TensorSpec, ...], tuple[TensorSpec, ...]]:
        """Inputs and outputs of a model file."""
        ...

    def open(
        self, path: Path, inputs: Sequence[TensorSpec], outputs: Sequence[TensorSpec], options: EngineOptions
    ) -> Engine:
        """Opens a model file for inputs of the shapes given (dynamic axes included)."""
        ...
