"""A stand-in for NVIDIA's ``tensorrt`` module that writes down what it is told."""
# ruff: noqa: N802  the names are those of the module

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any


@dataclass(frozen=True)
class FakeParserError:
    text: str
    index: int

    def desc(self) -> str:
        return self.text

    def node(self) -> int:
        return self.index


class FakeParser:
    def __init__(self, calls: list[str], errors: Sequence[FakeParserError]) -> None:
        self._calls, self._errors = calls, errors

    @property
    def num_errors(self) -> int:
        return len(self._errors)

    def parse(self, model: bytes) -> bool:
        self._calls.append("OnnxParser.parse(the model)" if model else "OnnxParser.parse(nothing)")
        return not self._errors

    def get_error(self, index: int) -> FakeParserError:
        return self._errors[index]


class FakeProfile:
    def __init__(self, calls: list[str]) -> None:
        self._calls = calls

    def set_shape(self, name: str, least: tuple[int, ...], optimum: tuple[int, ...], greatest: tuple[int, ...]) -> None:
        self._calls.append(f"OptimizationProfile.set_shape({name!r}, {least}, {optimum}, {greatest})")


class FakeConfig:
    def __init__(self, calls: list[str], *, takes_profiles: bool) -> None:
        self.__dict__.update(calls=calls, takes_profiles=takes_profiles, profiles=0)

    def __setattr__(self, name: str, value: Any) -> None:
        self.__dict__["calls"].append(f"BuilderConfig.{name} = {value}")

    @property
    def builder_optimization_level(self) -> int:
        return 3

    @builder_optimization_level.setter
    def builder_optimization_level(self, value: int) -> None: ...

    def set_memory_pool_limit(self, pool: Any, size_bytes: int) -> None:
        self.__dict__["calls"].append(f"BuilderConfig.set_memory_pool_limit({pool}, {size_bytes})")

    def clear_flag(self, flag: Any) -> None:
        self.__dict__["calls"].append(f"BuilderConfig.clear_flag({flag})")

    def add_optimization_profile(self, profile: FakeProfile) -> int:
        self.__dict__["calls"].append("BuilderConfig.add_optimization_profile(profile)")
        self.__dict__["profiles"] += 1
        return self.__dict__["profiles"] - 1 if self.__dict__["takes_profiles"] else -1


class FakeBuilder:
    def __init__(self, api: "FakeTensorRt") -> None:
        self._api = api

    def create_network(self, flags: int = 0) -> str:
        self._api.calls.append(f"Builder.create_network({flags})")
        return "network"

    def create_builder_config(self) -> FakeConfig:
        self._api.calls.append("Builder.create_builder_config()")
        return FakeConfig(self._api.calls, takes_profiles=self._api.takes_profiles)

    def create_optimization_profile(self) -> FakeProfile:
        self._api.calls.append("Builder.create_optimization_profile()")
        return FakeProfile(self._api.calls)

    def build_serialized_network(self, network: str, config: FakeConfig) -> memoryview | None:
        self._api.calls.append(f"Builder.build_serialized_network({network}, config)")
        self._api.meanwhile()
        return memoryview(self._api.plan) if self._api.builds else None


class FakeLogger:
    WARNING = "WARNING"

    def __call__(self, severity: str) -> str:
        return f"logger from {severity} on"


@dataclass
class FakeTensorRt:
    """Attributes:
    errors: What the parser complains of.
    builds: Whether there is an engine for the network.
    plan: What is built.
    meanwhile: Done while the builder works.
    takes_profiles: Whether profiles are valid.
    calls: What was asked, in order.
    """

    __version__: str = "10.13.3.9"
    errors: Sequence[FakeParserError] = ()
    builds: bool = True
    plan: bytes = b"plan"
    meanwhile: Callable[[], None] = lambda: None
    takes_profiles: bool = True
    calls: list[str] = field(default_factory=list)
    Logger: FakeLogger = field(default_factory=FakeLogger)
    # STRONGLY_TYPED has the value 1 in TensorRT 10
    NetworkDefinitionCreationFlag: Any = field(default_factory=lambda: SimpleNamespace(STRONGLY_TYPED=1))
    MemoryPoolType: Any = field(default_factory=lambda: SimpleNamespace(WORKSPACE="WORKSPACE"))
    BuilderFlag: Any = field(default_factory=lambda: SimpleNamespace(TF32="TF32"))

    def Builder(self, logger: str) -> FakeBuilder:
        self.calls.append(f"Builder({logger})")
        return FakeBuilder(self)

    def OnnxParser(self, network: str, logger: str) -> FakeParser:
        self.calls.append(f"OnnxParser({network}, {logger})")
        return FakeParser(self.calls, self.errors)
