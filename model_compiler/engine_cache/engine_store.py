"""The folder of engines, as the one process that makes plans sees it; see ``contracts.engine_cache``."""

import fcntl
import hashlib
import shutil
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

from pydantic import ValidationError

from contracts.engine_cache import (
    ENGINES_FOLDER,
    LOCK_FILE,
    STATUS_FOLDER,
    EngineStatus,
    plan_path,
    status_path,
)
from model_compiler.engine_cache.errors import EnginesInUse
from model_compiler.engine_cache.tensorrt_builds import FileStamp, stamp_of
from model_compiler.packaging.build_directory import write_file

_LOCK_SECONDS = 2.0
"""A gateway that asks whether somebody builds holds the lock for an instant."""


class EngineStore:
    """Statuses and plans under ``<state>/engines``.

    Args:
        state_dir: The gateway's state folder.
    """

    def __init__(self, state_dir: Path) -> None:
        self.root = state_dir / ENGINES_FOLDER
        self._proved: dict[Path, tuple[FileStamp, str]] = {}

    @contextmanager
    def opened(self) -> Iterator[None]:
        """Hold the lock, and remove what a killed process left half-written.

        Raises:
            EnginesInUse: Another process holds it.
            OSError: The folder cannot be made or written.
        """
        (self.root / STATUS_FOLDER).mkdir(parents=True, exist_ok=True)
        with (self.root / LOCK_FILE).open("a") as lock:
            end = time.monotonic() + _LOCK_SECONDS
            while not _locked(lock.fileno()):
                if time.monotonic() > end:
                    raise EnginesInUse(self.root)
                time.sleep(0.05)
            for path in self.root.rglob(".*"):
                if path.is_file():
                    path.unlink()
            yield

    def status(self, build: str) -> EngineStatus | None:
        """What is known of a build; None where there is nothing, or nothing that can be read."""
        try:
            status = EngineStatus.model_validate_json((self.root / status_path(build)).read_bytes())
        except (OSError, ValidationError):
            return None
        return status if status.build == build else None

    def write(self, status: EngineStatus) -> None:
        """Say how far a build is.

        Raises:
            OSError: The disk is full or not writable; the old status stays.
        """
        write_file(self.root / status_path(status.build), f"{status.model_dump_json(indent=2)}\n".encode())

    def write_plan(self, key: str, plan: bytes) -> None:
        """Put a plan there, whole or not at all.

        Raises:
            OSError: The disk is full or not writable.
        """
        write_file(self.root / plan_path(key), plan)

    def is_intact(self, status: EngineStatus) -> bool:
        """Whether the plan of a ready status is there and unchanged; a file is read again only when it was touched."""
        if status.key is None or status.plan_sha256 is None:
            return False
        path = self.root / plan_path(status.key)
        stamp = stamp_of(path)
        if self._proved.get(path) != (stamp, status.plan_sha256):
            try:
                with path.open("rb") as file:
                    digest = hashlib.file_digest(file, "sha256").hexdigest()
            except OSError:
                return False
            if digest != status.plan_sha256:
                return False
            self._proved[path] = (stamp, digest)
        return True

    def ready_with(self, key: str) -> EngineStatus | None:
        """A status that names an intact plan of this key: builds with the same model share it."""
        statuses = (self.status(build) for build in self._builds())
        same = (status for status in statuses if status is not None and status.state == "ready" and status.key == key)
        return next((status for status in same if self.is_intact(status)), None)

    def stamp(self, status: EngineStatus) -> FileStamp:
        """Changes when somebody touches the status of a build, or its plan."""
        paths = [self.root / status_path(status.build)]
        return stamp_of(*paths, *([self.root / plan_path(status.key)] if status.key else []))

    def remove_all_but(self, builds: Collection[str]) -> tuple[str, ...]:
        """Remove the statuses of builds that are gone, then the plans that no status names; gives their keys.

        Args:
            builds: Names of those that are there.

        Raises:
            OSError: Something cannot be removed.
        """
        for build in self._builds():
            if build not in builds:
                (self.root / status_path(build)).unlink()
        statuses = (self.status(build) for build in self._builds())
        kept = {STATUS_FOLDER, *(status.key for status in statuses if status is not None)}
        removed = [path for path in sorted(self.root.iterdir()) if path.is_dir() and path.name not in kept]
        for folder in removed:
            shutil.rmtree(folder)
        return tuple(folder.name for folder in removed)

    def _builds(self) -> tuple[str, ...]:
        return tuple(sorted(path.stem for path in (self.root / STATUS_FOLDER).glob("[!.]*.json")))


def _locked(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
