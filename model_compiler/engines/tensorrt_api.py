"""The part of NVIDIA's ``tensorrt`` module that builds a plan, typed: the module itself satisfies `TensorRtApi`.

Everything here exists in TensorRT 10 and 11. What 11 removed is not here, on purpose: weak typing (``BuilderFlag.FP16``
and ``INT8``), calibrators, ``build_engine``, ``EXPLICIT_BATCH``.
"""
# ruff: noqa: N802  the names are those of the module

from typing import Any, Protocol

Shape = tuple[int, ...]


class ParserError(Protocol):
    """One complaint of the ONNX parser."""

    def desc(self) -> str:
        """What is wrong."""
        ...

    def node(self) -> int:
        """Index of the node in the graph, -1 where it is not about one."""
        ...


class OnnxParser(Protocol):
    """Reads ONNX into a network."""

    @property
    def num_errors(self) -> int:
        """How many complaints there are."""
        ...

    def parse(self, model: bytes) -> bool:
        """False when it failed: nothing is raised."""
        ...

    def get_error(self, index: int) -> ParserError:
        """One of the complaints."""
        ...


class OptimizationProfile(Protocol):
    """Shapes that a plan is tuned for."""

    def set_shape(self, name: str, least: Shape, optimum: Shape, greatest: Shape) -> None:
        """Bounds of one input."""
        ...


class BuilderConfig(Protocol):
    """How to build."""

    builder_optimization_level: int

    def set_memory_pool_limit(self, pool: Any, size_bytes: int) -> None:
        """Bound of one pool."""
        ...

    def clear_flag(self, flag: Any) -> None:
        """Switch something off."""
        ...

    def add_optimization_profile(self, profile: Any) -> int:
        """Index of the profile, -1 where it is not valid."""
        ...


class Builder(Protocol):
    """Makes networks, configurations and plans."""

    def create_network(self, flags: int = 0) -> Any:
        """An empty network."""
        ...

    def create_builder_config(self) -> BuilderConfig:
        """A configuration with TensorRT's defaults."""
        ...

    def create_optimization_profile(self) -> OptimizationProfile:
        """An empty profile."""
        ...

    def build_serialized_network(self, network: Any, config: Any) -> Any:
        """The plan as a buffer, None when there is none: nothing is raised."""
        ...


class LoggerType(Protocol):
    """The class of TensorRT's loggers."""

    WARNING: Any

    def __call__(self, severity: Any) -> Any:
        """A logger that prints to the standard error output."""
        ...


class Flags(Protocol):
    """An enumeration of TensorRT, by name."""

    def __getattr__(self, name: str) -> Any: ...


class TensorRtApi(Protocol):
    """The module."""

    __version__: str

    @property
    def Logger(self) -> LoggerType:
        """See `LoggerType`."""
        ...

    @property
    def NetworkDefinitionCreationFlag(self) -> Flags:
        """Has ``STRONGLY_TYPED``."""
        ...

    @property
    def MemoryPoolType(self) -> Flags:
        """Has ``WORKSPACE``."""
        ...

    @property
    def BuilderFlag(self) -> Flags:
        """Has ``TF32``."""
        ...

    def Builder(self, logger: Any) -> Builder:
        """A builder on the current GPU."""
        ...

    def OnnxParser(self, network: Any, logger: Any) -> OnnxParser:
        """A parser into ``network``."""
        ...
