"""What is tried on builds side by side: one that fails is taken out, and the others go on."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Protocol, TypeVar

from model_compiler.evaluation.errors import EvaluationError, FrameNotAnswered, GatewayFailed

Result = TypeVar("Result")


class _Gateway(Protocol):
    @property
    def runs(self) -> bool:
        """Whether the process is there."""
        ...

    def drop(self, name: str) -> None:
        """Take a build out."""
        ...


class Trials:
    """Keeps which builds failed, and why.

    Args:
        gateway: That serves them.
        report: Told of each failure, with the end of the gateway's log.
    """

    def __init__(self, gateway: _Gateway, report: Callable[[str], None]) -> None:
        self._gateway = gateway
        self._report = report
        self._failed: dict[str, str] = {}

    @property
    def failed(self) -> Mapping[str, str]:
        """Reasons by name."""
        return MappingProxyType(self._failed)

    def attempt(self, name: str, task: Callable[[], Result]) -> Result | None:
        """What ``task`` gives; None where it fails, or the build failed before.

        Raises:
            EvaluationError: The gateway itself went away, which says nothing about one build.
        """
        if name in self._failed:
            return None
        try:
            return task()
        except (FrameNotAnswered, GatewayFailed) as error:
            if not self._gateway.runs:
                raise
            self._report(f"{name}: refused: {error}")
            self._failed[name] = _reason(name, error)
        self._gateway.drop(name)
        return None

    def of_each(self, tasks: Mapping[str, Callable[[], Result]]) -> dict[str, Result]:
        """What each gives, by name, in this order; without those that fail or failed before.

        Raises:
            EvaluationError: The gateway itself went away.
        """
        found = {name: self.attempt(name, task) for name, task in tasks.items()}
        return {name: result for name, result in found.items() if result is not None}


def _reason(name: str, error: EvaluationError) -> str:
    """Without the name, which stands before it, and without the log."""
    said = error.problem if isinstance(error, GatewayFailed) else str(error)
    return said.removeprefix(f"{name}: ").removeprefix(f"{name}, ")
