"""What can go wrong while reporting.

::

    CompileError
    +-- ReportUnreadable   a file of results is something else
"""

from pathlib import Path

from model_compiler.errors import CompileError


class ReportUnreadable(CompileError):
    """A file is not the report of a build."""

    def __init__(self, path: Path, problem: str) -> None:
        self.path, self.problem = path, problem
        super().__init__(f"{path} is not a build report: {problem}; move other JSON files out of the folder")
