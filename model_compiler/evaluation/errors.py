"""What can go wrong while measuring builds.

::

    CompileError
    +-- EvaluationError
        +-- MislabelledFrame      a label contradicts its picture or the recipe
        +-- GatewayNotInstalled   the command that serves builds is not on this machine
        +-- GatewayFailed         it does not start, a build does not load, or it went away
        +-- FrameNotAnswered      a build has no usable answer to a frame
        +-- NotMeasured           builds that are compared were not all measured
"""

from collections.abc import Mapping
from pathlib import Path

from model_compiler.errors import CompileError


class EvaluationError(CompileError):
    """Builds cannot be measured."""


class MislabelledFrame(EvaluationError):
    """A label contradicts its picture or the recipe; ``place`` says which entry."""

    def __init__(self, file: Path, place: str, problem: str) -> None:
        self.file, self.place, self.problem = file, place, problem
        super().__init__(f"{file}, {place}: {problem}")


class GatewayNotInstalled(EvaluationError):
    """Builds are measured through the gateway, and its command is not there."""

    def __init__(self, command: str, folder: Path) -> None:
        self.command, self.folder = command, folder
        super().__init__(
            f"{command} is neither in {folder} nor on PATH: builds are measured through it;"
            " pip install 'outpost[gateway,embedded]', or leave `evaluation` out of the recipe"
        )


class GatewayFailed(EvaluationError):
    """The gateway does not start, does not load a build, or went away."""

    def __init__(self, problem: str, log_tail: str) -> None:
        self.problem, self.log_tail = problem, log_tail
        super().__init__(
            f"outpost-gateway serve: {problem}" + (f"; the end of its log:\n{log_tail}" if log_tail else "")
        )


class FrameNotAnswered(EvaluationError):
    """A build has no usable answer to a frame."""

    def __init__(self, candidate: str, frame: str, problem: str) -> None:
        self.candidate, self.frame, self.problem = candidate, frame, problem
        super().__init__(f"{candidate}, frame {frame}: {problem}")


class NotMeasured(EvaluationError):
    """Some of the builds that are to be compared could not be measured, by name with the reason."""

    def __init__(self, reasons: Mapping[str, str]) -> None:
        self.reasons = dict(reasons)
        super().__init__("; ".join(f"{name}: {reason}" for name, reason in self.reasons.items()))
