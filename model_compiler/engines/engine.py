"""What the compiler needs of a runtime: the port that each runtime's module implements."""

from collections.abc import Mapping
from typing import Any, Protocol

from numpy.typing import NDArray

from model_compiler.variant import Backend, Precision

Array = NDArray[Any]


class Session(Protocol):
    """An opened model."""

    def run(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """All outputs by name.

        Args:
            inputs: C-contiguous arrays by name.

        Raises:
            UnsupportedByRuntime: The graph cannot be computed for inputs of this shape.
        """
        ...


class Engine(Protocol):
    """A runtime on this machine. Models go in and come out as serialised ONNX."""

    @property
    def name(self) -> Backend:
        """Triton's name of it."""
        ...

    def missing(self) -> str | None:
        """What this machine lacks to run it, or None."""
        ...

    def version(self) -> str:
        """Its name and version, as a card states it."""
        ...

    def precisions(self) -> tuple[Precision, ...]:
        """What it can compute in on this machine where the graph leaves it open."""
        ...

    def prepare(self, model: bytes, precision: Precision) -> bytes:
        """The graph as it is packaged: proved to be accepted, and optimised where that is portable.

        The same model gives the same bytes.

        Raises:
            EngineUnavailable: The runtime or its hardware is missing.
            UnsupportedByRuntime: It refuses the graph; the node is named.
            UnsupportedPrecision: It does not compute in this precision.
        """
        ...

    def open(self, model: bytes, precision: Precision, threads: int) -> Session:
        """A session; raises as `prepare`."""
        ...
