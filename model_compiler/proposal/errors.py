"""Why no recipe can be proposed for a model.

::

    CompileError
    +-- InvalidLabels        the file of labels cannot be used
    +-- LabelCountMismatch   there are more or fewer labels than the model has classes
    +-- NotProposable        the export is of a kind that is not served
    +-- SuspiciousModel      the model computes, but what it says cannot be right
    +-- RecipeExists         another recipe is in the way
"""

from collections.abc import Sequence
from pathlib import Path

from model_compiler.errors import CompileError


class InvalidLabels(CompileError):
    """A file of labels is empty, not text, or names a label twice."""

    def __init__(self, path: Path, problem: str) -> None:
        self.path, self.problem = path, problem
        super().__init__(f"labels {path}: {problem}; expected one label a line, in the order of the classes")


class LabelCountMismatch(CompileError):
    """There are more or fewer labels than the model has classes."""

    def __init__(self, source: str, labels: int, classes: int, layout: str) -> None:
        self.source, self.labels, self.classes, self.layout = source, labels, classes, layout
        hint = ""
        if classes - labels == 1:
            hint = "; does the model have a class for the background, in front or at the end? Give it a label"
        super().__init__(f"{source}: {labels} labels, but the model has {classes} classes ({layout}){hint}")


class NotProposable(CompileError):
    """An export is of a kind that cannot be served; the message says how to export it."""

    def __init__(self, problem: str, remedy: str) -> None:
        self.problem, self.remedy = problem, remedy
        super().__init__(f"{problem}: {remedy}")


class SuspiciousModel(CompileError):
    """What the model says of a picture cannot be right; nothing was written."""

    def __init__(self, warnings: Sequence[str]) -> None:
        self.warnings = tuple(warnings)
        super().__init__(
            "; ".join(self.warnings) + ". Correct the assumption that is wrong, or go on all the same with --yes"
        )


class RecipeExists(CompileError):
    """A recipe with another content is there already."""

    def __init__(self, path: Path) -> None:
        self.path = path
        super().__init__(f"{path} exists and says something else: build it, remove it, or name another with --recipe")


class UnreadablePicture(CompileError):
    """The picture that a model is to be tried on cannot be decoded."""

    def __init__(self, path: Path, reason: str) -> None:
        self.path, self.reason = path, reason
        super().__init__(f"picture {path}: {reason}")
