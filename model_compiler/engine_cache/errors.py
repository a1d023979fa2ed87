"""What can go wrong with the engines of a device, as facts; each error writes its own sentence.

::

    CompileError
    +-- EnginesInUse       another process makes plans in the folder
    +-- EnginesIncomplete  some builds have no plan; each reason is listed
    +-- DamagedModel       the ONNX file of a build is not the one in its manifest
    +-- AlwaysEnded        the process that made a plan was ended in the middle of it, again and again
"""

from collections.abc import Mapping
from pathlib import Path

from model_compiler.errors import CompileError


class EnginesInUse(CompileError):
    """Two builders would undo each other's work."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        super().__init__(f"another outpost-compile engines works in {folder}; stop it, or let it do the work")


class EnginesIncomplete(CompileError):
    """Not every build has its plan."""

    def __init__(self, reasons: Mapping[str, str]) -> None:
        self.reasons = dict(reasons)
        super().__init__("; ".join(f"no plan for {build}: {reason}" for build, reason in self.reasons.items()))


class DamagedModel(CompileError):
    """A plan must not be made from bytes that nobody released."""

    def __init__(self, path: Path) -> None:
        self.path = path
        super().__init__(f"{path} differs from the build's manifest; install the build again")


class AlwaysEnded(CompileError):
    """Most often the system kills a process that takes too much memory; the plan must not keep the others waiting."""

    def __init__(self, attempts: int) -> None:
        self.attempts = attempts
        super().__init__(
            f"the process that made it was ended {attempts} times in the middle of it: look for 'out of memory' in the"
            " system's log; it is tried again when outpost-compile engines is started again"
        )
