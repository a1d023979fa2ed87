"""The state folder: what is in it, who owns it, how an empty one is seeded."""

import fcntl
import hashlib
import os
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TextIO

from pydantic import TypeAdapter, ValidationError

from contracts.active_models import ActiveModel, ActiveModels, Alias, Cascade
from contracts.build_name import BuildName, InvalidBuildName
from gateway.atomic_file import sync_folder, write_atomically
from gateway.start_errors import SeedUnusable, StateFolderInUse, StateFolderUnusable

CASCADES_FILE = "cascades.json"
"""Beside shipped builds: the cascades of their models, as in ``active.json``."""
_CASCADES = TypeAdapter(dict[Alias, Cascade])


class StateFolder:
    """Paths under ``<state>``.

    Args:
        root: The folder; made when missing.
    """

    def __init__(self, root: Path) -> None:
        self.root = root.resolve()
        self.active_file = self.root / "active.json"
        self.repository = self.root / "repository"
        self.logs = self.root / "logs"
        self.triton = self.root / "triton"
        self._lock: TextIO | None = None

    @property
    def key(self) -> str:
        """Eight characters that tell this folder from others on the machine, for names of shared memory."""
        return hashlib.sha256(str(self.root).encode()).hexdigest()[:8]

    def open(self) -> None:
        """Make the folders and take the lock that keeps a second gateway out.

        Raises:
            StateFolderUnusable: It cannot be written.
            StateFolderInUse: Another gateway has it.
        """
        try:
            for folder in (self.root, self.repository, self.logs, self.triton):
                folder.mkdir(parents=True, exist_ok=True)
            lock = (self.root / "gateway.lock").open("a+")
        except OSError as error:
            raise StateFolderUnusable(self.root, str(error)) from error
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            lock.close()
            raise StateFolderInUse(self.root) from error
        self._lock = lock

    def close(self) -> None:
        """Give the lock back."""
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def seed(self, seed_dir: Path, accepts: Callable[[str], bool] = lambda _: True) -> tuple[str, ...]:
        """Copy the shipped builds that are missing; on the first start, make each model's newest build its stable.

        The cascades that ship with them (``cascades.json``) are taken over where both their models are there.

        Args:
            seed_dir: Folder of builds.
            accepts: Whether builds for a hardware class run here; only such are made anybody's stable.

        Returns:
            The builds copied.

        Raises:
            StateFolderUnusable: A copy failed (disk full, not readable); nothing half-copied stays.
            SeedUnusable: ``cascades.json`` is malformed.
        """
        try:
            copied = tuple(name for name in seed_builds(seed_dir) if self._copy_build(seed_dir / name))
            if not self.active_file.exists() and seed_builds(seed_dir):
                active = first_choice(seed_builds(seed_dir), seed_cascades(seed_dir), accepts)
                write_atomically(self.active_file, active.model_dump_json(indent=2))
        except OSError as error:
            raise StateFolderUnusable(self.root, str(error)) from error
        return copied

    def _copy_build(self, source: Path) -> bool:
        target = self.repository / source.name
        if target.exists():
            return False
        partial = self.triton / f"partial-{source.name}"
        shutil.rmtree(partial, ignore_errors=True)
        try:
            shutil.copytree(source, partial)
            for path in partial.rglob("*"):
                if path.is_file():
                    descriptor = os.open(path, os.O_RDONLY)
                    os.fsync(descriptor)
                    os.close(descriptor)
            partial.rename(target)
        finally:
            shutil.rmtree(partial, ignore_errors=True)
        sync_folder(self.repository)
        return True


def seed_builds(seed_dir: Path) -> tuple[str, ...]:
    """Names of the builds in a folder, oldest version first."""
    if not seed_dir.is_dir():
        return ()
    names = []
    for path in seed_dir.iterdir():
        try:
            name = BuildName.parse(path.name)
        except InvalidBuildName:
            continue
        if (path / "config.pbtxt").is_file():
            names.append((name.model, [int(part) for part in name.version.split(".")], path.name))
    return tuple(entry[-1] for entry in sorted(names))


def seed_cascades(seed_dir: Path) -> dict[str, Cascade]:
    """The cascades that ship with the builds of a folder.

    Raises:
        SeedUnusable: The file is malformed.
    """
    path = seed_dir / CASCADES_FILE
    if not path.is_file():
        return {}
    try:
        return _CASCADES.validate_json(path.read_bytes())
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"]) or "the file"
        raise SeedUnusable(path, f"{place}: {first['msg']}") from error


def first_choice(
    builds: tuple[str, ...], cascades: Mapping[str, Cascade], accepts: Callable[[str], bool]
) -> ActiveModels:
    """Every model under its own name, with its newest build of those that run here.

    Models without one are left out; where no build runs here at all, all are named, for their aliases then say why.

    Args:
        builds: Sorted, oldest first.
        cascades: Those whose models are both there are taken over.
        accepts: Whether builds for a hardware class run here.
    """
    names = [BuildName.parse(build) for build in builds]
    usable = [name for name in names if accepts(name.hardware_class)] or names
    chosen = {name.model: ActiveModel(stable=str(name)) for name in usable}
    whole = {name: each for name, each in cascades.items() if each.first in chosen and each.then in chosen}
    return ActiveModels(models=chosen, cascades=whole)
