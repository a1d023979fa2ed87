"""What can go wrong while compiling, as facts; each error writes its own sentence.

::

    CompileError
    +-- InputFileMissing       a file that the recipe or command names is not there
    +-- InvalidRecipe          the recipe is not valid YAML, or a key or value is wrong
    +-- NoSuchTarget           the recipe does not build for this hardware class
    +-- InvalidMetrics         the metrics file of the training is not as expected
    +-- ModelError
    |   +-- NotOnnx            the file is something else
    |   +-- UnexpectedTensor   the graph's input or output is not what the recipe says
    |   +-- UnsupportedModel   a valid graph that a stage cannot handle
    +-- BuildExists            builds are immutable: this one is there already
    +-- InvalidBuild           a build directory contradicts its manifest, card or configuration
"""

from collections.abc import Sequence
from pathlib import Path


class CompileError(Exception):
    """A compilation cannot go on; the message says what to change."""


class InputFileMissing(CompileError):
    """A file that a recipe or a command names is not there."""

    def __init__(self, path: Path, role: str) -> None:
        self.path, self.role = path, role
        super().__init__(f"{role} {path} does not exist or is not a file")


class InvalidRecipe(CompileError):
    """A recipe cannot be read; every problem is listed."""

    def __init__(self, path: Path, problems: Sequence[str]) -> None:
        self.path, self.problems = path, tuple(problems)
        super().__init__(f"recipe {path}: " + "; ".join(self.problems))


class NoSuchTarget(CompileError):
    """A recipe has no backend for the hardware class asked for, or several and none was asked for."""

    def __init__(self, hardware_class: str | None, available: Sequence[str]) -> None:
        self.hardware_class, self.available = hardware_class, tuple(available)
        asked = "no hardware class was chosen" if hardware_class is None else f"hardware class {hardware_class!r}"
        super().__init__(f"{asked}: the recipe builds for {', '.join(self.available)}; choose one with --for")


class InvalidMetrics(CompileError):
    """A metrics file does not have the keys that a card needs."""

    def __init__(self, path: Path, problem: str) -> None:
        self.path, self.problem = path, problem
        super().__init__(f"metrics file {path}: {problem}")


class ModelError(CompileError):
    """Something is wrong with the ONNX model."""


class NotOnnx(ModelError):
    """A file is not an ONNX model."""

    def __init__(self, source: str, reason: str) -> None:
        self.source, self.reason = source, reason
        super().__init__(f"{source} is not an ONNX model: {reason}")


class UnexpectedTensor(ModelError):
    """An input or output of the graph is not what was expected."""

    def __init__(self, tensor: str, expected: str, actual: str) -> None:
        self.tensor, self.expected, self.actual = tensor, expected, actual
        super().__init__(f"{tensor}: expected {expected}, the model has {actual}")


class UnsupportedModel(ModelError):
    """A valid graph that a stage cannot handle; the message says why."""


class BuildExists(CompileError):
    """A build of this name is there already, and builds never change."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        super().__init__(
            f"{directory} exists and builds never change: raise the version in the recipe, or remove it if it was never"
            " delivered"
        )


class InvalidBuild(CompileError):
    """A build directory is damaged or contradicts itself; every problem is listed."""

    def __init__(self, directory: Path, problems: Sequence[str]) -> None:
        self.directory, self.problems = directory, tuple(problems)
        super().__init__(f"{directory} is not a valid build: " + "; ".join(self.problems))
