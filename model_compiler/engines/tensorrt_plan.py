"""How TensorRT is to build a model, decided before anything is built."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Self

from model_compiler.engines.errors import UnsupportedByRuntime
from model_compiler.graph.onnx_model import GraphInterface, TensorFacts

OLDEST_MAJOR = 10
WORKSPACE_BYTES = 1 << 30
"""Upper bound of the scratch memory of one kernel: what a Jetson of 8 GB can spare."""
OPTIMIZATION_LEVEL = 3
"""TensorRT's default: higher levels try more kernels and build much longer."""


@dataclass(frozen=True, slots=True)
class ShapeRange:
    """Shapes of one input between which a plan works, and the one it is tuned for."""

    tensor: str
    least: tuple[int, ...]
    optimum: tuple[int, ...]
    greatest: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class TensorRtPlan:
    """Everything that a builder is told; equal plans for equal models on equal machines give equivalent engines.

    Attributes:
        network_flags: Names in ``NetworkDefinitionCreationFlag``.
        profiles: One for each optimum batch size, each with all inputs; none where every shape is fixed.
        workspace_bytes: Limit of the memory pool ``WORKSPACE``.
        optimization_level: ``builder_optimization_level``.
        cleared_flags: Names in ``BuilderFlag`` that are on by default and switched off.
    """

    network_flags: tuple[str, ...]
    profiles: tuple[tuple[ShapeRange, ...], ...]
    workspace_bytes: int = WORKSPACE_BYTES
    optimization_level: int = OPTIMIZATION_LEVEL
    cleared_flags: tuple[str, ...] = ("TF32",)

    @classmethod
    def of(
        cls,
        interface: GraphInterface,
        optimum_batch_sizes: Sequence[int],
        *,
        version: str,
        workspace_bytes: int = WORKSPACE_BYTES,
    ) -> Self:
        """The plan for a model.

        Element types come from the graph (strong typing): FP16 and BF16 from its tensors, INT8 from its Q/DQ nodes.
        TF32 is off, so that FP32 means FP32.

        Args:
            interface: Inputs of the model; only the first axis may be open.
            optimum_batch_sizes: In ascending order; the last is the largest that will come.
            version: Of TensorRT. 11 types every network strongly and ignores the flag; 10 has to be told.
            workspace_bytes: Limit of scratch memory.

        Raises:
            UnsupportedByRuntime: Another axis is open, or TensorRT is older than 10.
        """
        major = int(version.split(".", maxsplit=1)[0])
        if major < OLDEST_MAJOR:
            raise UnsupportedByRuntime("tensorrt", None, f"TensorRT {version} has no strong typing that covers Q/DQ")
        dynamic = [tensor for tensor in interface.inputs if None in tensor.shape]
        for tensor in dynamic:
            _check_open_axes(tensor)
        profiles = tuple(_profile(interface.inputs, size, optimum_batch_sizes[-1]) for size in optimum_batch_sizes)
        return cls(
            network_flags=("STRONGLY_TYPED",) if major == OLDEST_MAJOR else (),
            profiles=profiles if dynamic else (),
            workspace_bytes=workspace_bytes,
        )

    def text(self) -> str:
        """One line for each decision."""
        return "".join(f"{line}\n" for line in self._lines())

    def _lines(self) -> Iterator[str]:
        yield f"network flags: {', '.join(self.network_flags) or 'none'}"
        yield f"workspace: {self.workspace_bytes} bytes"
        yield f"optimization level: {self.optimization_level}"
        yield f"cleared builder flags: {', '.join(self.cleared_flags) or 'none'}"
        for index, profile in enumerate(self.profiles):
            for shape in profile:
                yield f"profile {index}: {shape.tensor} {shape.least} .. {shape.optimum} .. {shape.greatest}"


def _check_open_axes(tensor: TensorFacts) -> None:
    if None in tensor.shape[1:]:
        reason = f"{tensor} has open axes besides the first, for which a plan needs bounds: fix its size"
        raise UnsupportedByRuntime("tensorrt", None, reason)


def _profile(inputs: Sequence[TensorFacts], optimum: int, greatest: int) -> tuple[ShapeRange, ...]:
    return tuple(
        ShapeRange(tensor.name, _at(tensor, 1), _at(tensor, optimum), _at(tensor, greatest)) for tensor in inputs
    )


def _at(tensor: TensorFacts, batch_size: int) -> tuple[int, ...]:
    return tuple(batch_size if size is None else size for size in tensor.shape)
