"""Finds backend processes that died or were stopped, which Triton itself does not notice. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass

from gateway.supervision.child_processes import ChildProcess

_BROKEN_STATES = {"Z": "died", "X": "died", "T": "was stopped"}


@dataclass(frozen=True, slots=True)
class BrokenInstance:
    """A backend process that no longer answers."""

    pid: int
    model: str
    reason: str


class InstanceWatch:
    """Remembers which model each backend process belongs to, since a dead one has no command line any more."""

    def __init__(self) -> None:
        self._models: dict[int, str] = {}
        self._reported: set[int] = set()

    @property
    def pids(self) -> tuple[int, ...]:
        """The processes seen at the last look."""
        return tuple(self._models)

    def look(self, processes: Iterable[ChildProcess]) -> tuple[BrokenInstance, ...]:
        """Broken instances that were not reported before.

        Args:
            processes: The server's children now.
        """
        broken = []
        present = set()
        for process in processes:
            present.add(process.pid)
            model = model_of(process.command) or self._models.get(process.pid, "")
            self._models[process.pid] = model
            reason = _BROKEN_STATES.get(process.state)
            if reason is not None and model and process.pid not in self._reported:
                self._reported.add(process.pid)
                broken.append(BrokenInstance(process.pid, model, f"backend process {process.pid} {reason}"))
        gone = [pid for pid in self._models if pid not in present]
        for pid in gone:
            del self._models[pid]
        self._reported &= present
        return tuple(broken)

    def instances_of(self, model: str) -> tuple[int, ...]:
        """The processes of a model, broken ones included, as far as they were looked at."""
        return tuple(pid for pid, known in self._models.items() if known == model)

    def has_live_instance(self, model: str) -> bool:
        """Whether a process of the model was neither reported nor given up."""
        return any(pid not in self._reported for pid in self.instances_of(model))

    def expect_end(self, pids: Iterable[int]) -> None:
        """The end of these processes is wanted: do not report it."""
        self._reported.update(pids)


def model_of(command: tuple[str, ...]) -> str:
    """The model that a backend process serves: its second argument is ``<repository>/<model>/<version>/<file>``."""
    parts = command[1].split("/") if len(command) > 1 else []
    return parts[-3] if len(parts) >= 4 else ""
