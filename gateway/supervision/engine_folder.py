"""The plans that this machine made of its TensorRT builds, as who loads them sees them."""

import fcntl
import hashlib
from pathlib import Path

from pydantic import ValidationError

from contracts.engine_cache import LOCK_FILE, EngineStatus, plan_path, status_path
from gateway.file_stamp import stamp_of
from gateway.supervision.engine_errors import (
    EngineAbandoned,
    EngineBuilding,
    EngineDamaged,
    EngineFailed,
    EngineMissing,
    EngineOutdated,
)


class EngineFolder:
    """``<state>/engines``; written by ``outpost-compile engines`` alone.

    Args:
        root: The folder; it need not be there.
    """

    def __init__(self, root: Path) -> None:
        self._root = root

    @property
    def owner(self) -> str:
        """Sixteen characters that tell this folder from others on the machine."""
        return hashlib.sha256(str(self._root.resolve()).encode()).hexdigest()[:16]

    def ready(self, build: str, model: Path) -> EngineStatus:
        """The status of a build whose plan is there, for the ONNX file that it has now.

        Raises:
            EngineNotReady: It has none that can be loaded, with the reason.
            OSError: The ONNX file cannot be read.
        """
        status = self._status(build)
        if status is None:
            raise EngineMissing(builder_works=self._builder_works())
        if status.state == "failed":
            raise EngineFailed(status.reason)
        if status.state == "building":
            if not self._builder_works():
                raise EngineAbandoned(status.started_at_text)
            machine = "this machine" if status.facts is None else status.facts.machine
            raise EngineBuilding(status.started_at_text, status.started_at, machine, status.reason)
        with model.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        if status.facts is None or status.facts.onnx_sha256 != digest:
            raise EngineOutdated(builder_works=self._builder_works())
        return status

    def read_plan(self, status: EngineStatus) -> bytes:
        """The plan of a ready status, as it was written; up to some 100 MB.

        Raises:
            EngineDamaged: It is missing or changed.
        """
        path = self._root / plan_path(status.key or "")
        try:
            plan = path.read_bytes()
        except OSError as error:
            raise EngineDamaged(str(path), f"cannot be read ({error.strerror})") from error
        if hashlib.sha256(plan).hexdigest() != status.plan_sha256:
            raise EngineDamaged(str(path), "is not what its maker wrote")
        return plan

    def signature(self, build: str) -> tuple[int, ...]:
        """Changes when the status of a build does, or its plan."""
        paths = [self._root / status_path(build)]
        status = self._status(build)
        if status is not None and status.key is not None:
            paths.append(self._root / plan_path(status.key))
        return tuple(number for stamp in stamp_of(*paths) for number in stamp)

    def _status(self, build: str) -> EngineStatus | None:
        try:
            return EngineStatus.model_validate_json((self._root / status_path(build)).read_bytes())
        except (OSError, ValidationError):
            return None

    def _builder_works(self) -> bool:
        """Whether a process holds the lock; it is held only while that lives, so that no restart or kill leaves it."""
        try:
            with (self._root / LOCK_FILE).open("rb") as lock:
                fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        except OSError:
            return False
        return False
