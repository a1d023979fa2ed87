"""What can go wrong with runtimes, as facts; each error writes its own sentence.

::

    CompileError
    +-- ModelError
    |   +-- UnsupportedByRuntime  a valid graph that a runtime refuses
    +-- EngineUnavailable         the runtime, or its hardware, is not on this machine
    +-- UnsupportedPrecision      the runtime, or this processor, does not compute in it
    +-- EngineBuildFailed         TensorRT could not make a plan
    +-- VerificationFailed        a candidate computes something else than its reference
"""

from collections.abc import Sequence

from model_compiler.errors import CompileError, ModelError


class UnsupportedByRuntime(ModelError):
    """A valid graph that a runtime does not take; ``node`` is None where the runtime does not say which it is."""

    def __init__(self, runtime: str, node: str | None, reason: str) -> None:
        self.runtime, self.node, self.reason = runtime, node, reason
        where = "the model" if node is None else node
        super().__init__(f"{runtime} refuses {where}: {reason}")


class EngineUnavailable(CompileError):
    """The runtime is not installed, or its hardware is missing."""

    def __init__(self, runtime: str, missing: str, advice: str) -> None:
        self.runtime, self.missing = runtime, missing
        super().__init__(f"{runtime} cannot run here: {missing}. {advice}")


class UnsupportedPrecision(CompileError):
    """A runtime does not compute in a precision, or not on this processor."""

    def __init__(self, runtime: str, precision: str, reason: str, known: Sequence[str]) -> None:
        self.runtime, self.precision, self.known = runtime, precision, tuple(known)
        super().__init__(f"{runtime} does not run precision {precision!r}: {reason}; use {' or '.join(known)}")


class EngineBuildFailed(CompileError):
    """TensorRT read the graph and found no plan for it."""

    def __init__(self, problems: Sequence[str]) -> None:
        self.problems = tuple(problems)
        said = "; ".join(self.problems) or "it gave no reason"
        super().__init__(f"TensorRT could not build a plan: {said}")


class VerificationFailed(CompileError):
    """A candidate does not compute what its reference does, within the tolerance of its variant."""

    def __init__(self, problems: Sequence[str], report: str) -> None:
        self.problems, self.report = tuple(problems), report
        super().__init__(report)
